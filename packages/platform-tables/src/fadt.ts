/**
 * The fixed ACPI description table and the firmware control structure (ACPI 6.4, 5.2.9 "Fixed ACPI Description Table (FADT)",
 * 5.2.10 "Firmware ACPI Control Structure (FACS)"), at the FADT's revision 3 of ACPI 2.0: the first with a reset register.
 */
import type { AcpiPowerFact, ResetPortFact } from '@ringfence/sdk';
import { TableBytes, table } from './acpi-table.js';

export const FADT_FIRMWARE_CTRL = 36;
export const FADT_DSDT = 40;
export const FADT_X_DSDT = 140;
const FADT_BYTES = 244;
const FACS_BYTES = 64;

const PROFILE_DESKTOP = 1;
const CENTURY_REGISTER = 0x32;
const LEGACY_DEVICES = 0x0001;
const HAS_8042 = 0x0002;
// No C2 and no C3: latencies beyond what the specification takes for a state that exists.
const NO_C2 = 101;
const NO_C3 = 1001;

const WBINVD = 1 << 0;
const PROC_C1 = 1 << 2;
/** There is no sleep button. */
const SLP_BUTTON = 1 << 5;
/** The RTC's alarm is not in the fixed registers. */
const FIX_RTC = 1 << 6;
const RESET_REG_SUP = 1 << 10;

const SYSTEM_IO = 1;
const PM1_EVENT_BYTES = 4;
const PM1_CONTROL_BYTES = 2;
const TIMER_BYTES = 4;

export interface FadtInit {
  readonly power: AcpiPowerFact;
  readonly resetPort?: ResetPortFact;
  readonly keyboardController: boolean;
}

export function fadt({ power, resetPort, keyboardController }: FadtInit): TableBytes {
  const event = power.base + power.pm1Event;
  const control = power.base + power.pm1Control;
  const timer = power.base + power.pmTimer;
  const gpe0 = power.base + power.gpe0;
  const made = table('FACP', 3, FADT_BYTES)
    .u8(45, PROFILE_DESKTOP)
    .u16(46, power.sciIrq)
    .u32(48, power.smiCommand)
    .u8(52, power.acpiEnable, power.acpiDisable)
    .u32(56, event)
    .u32(64, control)
    .u32(76, timer)
    .u32(80, gpe0)
    .u8(88, PM1_EVENT_BYTES, PM1_CONTROL_BYTES, 0, TIMER_BYTES, power.gpe0Bytes)
    .u16(96, NO_C2)
    .u16(98, NO_C3)
    .u8(108, CENTURY_REGISTER)
    .u16(109, LEGACY_DEVICES | (keyboardController ? HAS_8042 : 0))
    .u32(112, WBINVD | PROC_C1 | SLP_BUTTON | FIX_RTC | (resetPort === undefined ? 0 : RESET_REG_SUP));
  const register = (at: number, address: number, bytes: number): void => {
    const access = bytes === 1 ? 1 : bytes === 2 ? 2 : 3;
    made.u8(at, SYSTEM_IO, bytes * 8, 0, access).u32(at + 4, address);
  };
  if (resetPort !== undefined) {
    register(116, resetPort.port, 1);
    made.u8(128, resetPort.value);
  }
  register(148, event, PM1_EVENT_BYTES);
  register(172, control, PM1_CONTROL_BYTES);
  register(208, timer, TIMER_BYTES);
  register(220, gpe0, power.gpe0Bytes);
  made.u8(223, 1); // general-purpose events are accessed byte by byte
  return made;
}

/** Without a checksum, and written to by the operating system. */
export function facs(): TableBytes {
  return new TableBytes(FACS_BYTES).text(0, 'FACS').u32(4, FACS_BYTES).u8(32, 1);
}
