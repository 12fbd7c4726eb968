/**
 * Sensitive-instruction strategy `assist`: relies on the processor's own assistance to make the seventeen sensitive
 * instructions and CPUID trap while the guest is deprivileged. It scans no code and plants nothing.
 */
import {
  ASSIST_TRAP_CPUID,
  ASSIST_TRAP_SENSITIVE,
  MSR_ASSIST_INDEX,
  injectable,
  type Processor,
  type SensitiveStrategy,
} from '@ringfence/sdk';

@injectable()
export class SensitiveAssist implements SensitiveStrategy {
  readonly name = 'assist';

  prepare(hardware: Processor): void {
    hardware.wrmsr(MSR_ASSIST_INDEX, ASSIST_TRAP_SENSITIVE | ASSIST_TRAP_CPUID, 0);
  }
}
