/**
 * Sensitive-instruction strategy `assist`: relies on the processor's own assistance to make the seventeen sensitive
 * instructions and CPUID trap while the guest is deprivileged, and with `vif` to carry out the flag instructions of its
 * kernel by itself. It scans no code and plants nothing.
 */
import {
  ASSIST_TRAP_CPUID,
  ASSIST_TRAP_SENSITIVE,
  ASSIST_VIRTUAL_IF,
  ASSIST_VIRTUAL_RETURN,
  MSR_ASSIST_INDEX,
  Tokens,
  inject,
  injectable,
  type MonitorOptions,
  type Processor,
  type SensitiveStrategy,
  type VirtualFlags,
} from '@ringfence/sdk';

const TRAPS = ASSIST_TRAP_SENSITIVE | ASSIST_TRAP_CPUID;
const BITS = { none: 0, inner: ASSIST_VIRTUAL_IF, all: ASSIST_VIRTUAL_IF | ASSIST_VIRTUAL_RETURN } as const;

@injectable()
export class SensitiveAssist implements SensitiveStrategy {
  readonly name = 'assist';
  readonly virtualFlags?: (hardware: Processor, which: VirtualFlags) => void;

  constructor(@inject(Tokens.MonitorOptions) options: MonitorOptions) {
    if (options.assist !== 'vif') return;
    this.virtualFlags = (hardware, which) => hardware.wrmsr(MSR_ASSIST_INDEX, TRAPS | BITS[which], 0);
  }

  prepare(hardware: Processor): void {
    hardware.wrmsr(MSR_ASSIST_INDEX, TRAPS, 0);
  }
}
