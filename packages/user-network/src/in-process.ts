/**
 * Who answers a TCP connection of the guest's: the gateway's services by port, or the way to the host's network. Makes the
 * services again from a saved state, all but relays to the host.
 */
import { RingfenceError, type StateRecord } from '@ringfence/sdk';
import { GATEWAY, isOurs } from './plan.js';
import { DiscardService, EchoService, HttpService, type SavedService, type ServedFiles } from './services.js';
import { RELAY } from './nat.js';
import type { TcpService } from './tcp-contract.js';
import type { TcpAcceptor, TcpServices } from './tcp-stack.js';
import type { TcpSegment } from './tcp-segment.js';

type Fields = StateRecord['data'];

interface InProcess {
  readonly name: string;
  readonly port: number;
  readonly open: () => SavedService;
  readonly restore: (data: Fields) => SavedService;
}

export class InProcessServices implements TcpServices {
  private readonly services: readonly InProcess[];

  constructor(
    files: ServedFiles,
    private readonly reachable: (target: number) => boolean,
    private readonly connectOutside: (syn: TcpSegment) => void,
  ) {
    this.services = [
      { name: 'echo', port: 7, open: () => new EchoService(), restore: () => new EchoService() },
      { name: 'discard', port: 9, open: () => new DiscardService(), restore: () => new DiscardService() },
      {
        name: 'http',
        port: 80,
        open: () => new HttpService(files),
        restore: (data) => HttpService.restore(files, data),
      },
    ];
  }

  acceptor(target: number, port: number): TcpAcceptor | undefined {
    const own = target === GATEWAY ? this.services.find((service) => service.port === port) : undefined;
    if (own !== undefined) return own;
    if (isOurs(target) && target !== GATEWAY) return undefined;
    return this.reachable(target) ? { name: RELAY, later: (syn) => this.connectOutside(syn) } : undefined;
  }

  restore(name: string, data: Fields): TcpService | undefined {
    if (name === RELAY) return undefined;
    const service = this.services.find((candidate) => candidate.name === name);
    if (service !== undefined) return service.restore(data);
    throw new RingfenceError('RF_BAD_STATE', { message: `a saved network has a service "${name}"`, value: name });
  }

  save(service: TcpService): Fields {
    return 'save' in service ? (service as SavedService).save() : {};
  }
}
