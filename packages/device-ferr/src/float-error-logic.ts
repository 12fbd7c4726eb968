/**
 * The logic that PC/AT boards put between the processor's FERR# and IGNNE# pins: SDM Vol. 1, D.2.1.2 "Recommended External
 * Hardware to Support the MS-DOS Compatibility Sub-mode". FERR# going active sets a flip-flop that requests IRQ 13. A write to port
 * F0h clears that request and, as long as FERR# stays active, asserts IGNNE#, so that the handler can use the x87 before it has cleared the
 * exception. FERR# going inactive takes IGNNE# away.
 * The processor tells of FERR# only when it asserts it: that it went inactive in between shows at the next time, and nothing could
 * see it earlier. Does not do port F1h, which resets a coprocessor of its own.
 */
import {
  type Device,
  type FloatErrorLogic,
  type IrqLine,
  type IrqLines,
  type PortDevice,
  type StateRecord,
  Tokens,
  checkedState,
  inject,
  injectable,
  stateNumbers,
} from '@ringfence/sdk';

const COMPONENT = 'ferr';
const VERSION = 1;
const FLOATING = 0xff;

@injectable()
export class PcFloatErrorLogic implements Device, PortDevice, FloatErrorLogic {
  /** FERR# has been active. */
  private error = false;
  /** The flip-flop behind IRQ 13. */
  private request = false;
  /** IGNNE#. */
  private ignore = false;
  private readonly irq: IrqLine;

  constructor(@inject(Tokens.IrqLines) irqs: IrqLines) {
    this.irq = irqs.line('out');
  }

  reset(): void {
    this.error = false;
    this.ignore = false;
    this.setRequest(false);
  }

  floatError(again: boolean): boolean {
    if (!again) {
      this.error = true;
      this.ignore = false;
      this.setRequest(true);
    }
    return this.ignore;
  }

  portRead(_range: string, _offset: number, _size: number): number {
    return FLOATING;
  }

  portWrite(_range: string, _offset: number, _size: number, _value: number): void {
    this.setRequest(false);
    this.ignore = this.error;
  }

  saveState(): StateRecord {
    const { error, request, ignore } = this;
    const data = { error: Number(error), request: Number(request), ignore: Number(ignore) };
    return { component: COMPONENT, version: VERSION, data };
  }

  loadState(record: StateRecord): void {
    const state = stateNumbers(checkedState(record, COMPONENT, VERSION), ['error', 'request', 'ignore']);
    this.error = state.error !== 0;
    this.ignore = state.ignore !== 0;
    this.setRequest(state.request !== 0);
  }

  private setRequest(level: boolean): void {
    this.request = level;
    this.irq.set(level);
  }
}
