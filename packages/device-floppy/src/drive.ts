/**
 * One floppy drive as the controller's cable sees it: where its heads stand, a seek under way, whether the diskette's door was
 * opened since the last step, and what SENSE INTERRUPT will say of the last seek. A place on the cable without a diskette is
 * a place without a drive: its heads never find track 0.
 */
import { stateNumbers, type Clock, type StateRecord, type Timer } from '@ringfence/sdk';
import type { Diskette } from './media.js';
import * as R from './registers.js';

const STEP_US = 30;
/** A recalibration gives up after so many steps. */
const RECALIBRATE_STEPS = 79;
const FIELDS = ['cylinder', 'target', 'changed', 'st0', 'deadline', 'head'] as const;

export class DriveMechanism {
  cylinder = 0;
  changed: boolean;
  /** What SENSE INTERRUPT answers, or -1. */
  st0 = -1;
  /** Where a seek is going, 100h for a recalibration. */
  private target = 0;
  private head = 0;
  private readonly timer: Timer;

  constructor(
    readonly unit: number,
    readonly diskette: Diskette | undefined,
    private readonly clock: Clock,
    private readonly arrived: () => void,
  ) {
    this.changed = true;
    this.timer = clock.createTimer(`floppy drive ${unit}`, () => this.arrive());
  }

  get seeking(): boolean {
    return this.timer.deadline !== undefined;
  }

  reset(): void {
    this.abort();
    this.cylinder = this.target = this.head = 0;
    this.changed = true;
  }

  /** A reset of the controller: the heads stay where they are. */
  abort(): void {
    this.timer.disarm();
    this.st0 = -1;
  }

  seek(cylinder: number, head: number): void {
    this.start(cylinder, Math.abs(cylinder - this.cylinder), head);
  }

  recalibrate(): void {
    this.start(TO_TRACK_0, Math.min(this.cylinder, RECALIBRATE_STEPS), 0);
  }

  /** An implied seek, which is part of its command. */
  moveTo(cylinder: number): void {
    if (cylinder !== this.cylinder && this.diskette !== undefined) this.changed = false;
    this.cylinder = cylinder;
  }

  /** Status register 3 without drive and head. */
  status(): number {
    const { diskette, cylinder } = this;
    if (diskette === undefined) return R.ST3_FIXED;
    return R.ST3_FIXED | (cylinder === 0 ? R.ST3_TRACK_0 : 0) | (diskette.storage.readOnly ? R.ST3_WRITE_PROTECTED : 0);
  }

  state(): StateRecord['data'] {
    const { cylinder, target, st0, head } = this;
    return { cylinder, target, st0, head, changed: this.changed ? 1 : 0, deadline: this.timer.deadline ?? -1 };
  }

  /** Answers how to take the state over. Throws RF_BAD_STATE. */
  prepare(data: StateRecord['data']): () => void {
    const { changed, deadline, ...rest } = stateNumbers(data, FIELDS);
    return () => {
      Object.assign(this, rest);
      this.changed = changed !== 0;
      if (deadline < 0) this.timer.disarm();
      else this.timer.arm(deadline);
    };
  }

  private start(target: number, steps: number, head: number): void {
    this.target = target;
    this.head = head;
    this.timer.arm(this.clock.now() + Math.max(1, Math.round(((1 + steps) * STEP_US * this.clock.hz) / 1e6)));
  }

  private arrive(): void {
    const { diskette, target, unit } = this;
    const to = target === TO_TRACK_0 ? Math.max(0, this.cylinder - RECALIBRATE_STEPS) : target;
    this.moveTo(to);
    const lost = target === TO_TRACK_0 && (diskette === undefined || to !== 0);
    this.st0 = R.ST0_SEEK_END | (lost ? R.ST0_ABNORMAL | R.ST0_EQUIPMENT_CHECK : 0) | this.head | unit;
    this.arrived();
  }
}

const TO_TRACK_0 = 0x100;
