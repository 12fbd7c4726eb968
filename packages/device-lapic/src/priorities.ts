/**
 * What a local APIC has accepted and what the processor is at: IRR, ISR and TMR, the task priority, and the vector that is
 * to be served next (SDM Vol. 3A, "Handling Interrupts": "Interrupt, Task, and Processor Priority" and "Interrupt
 * Acceptance for Fixed Interrupts"). A vector's class is its upper four bits.
 */
import { stateBytes, stateFields, stateNumber, type StateRecord } from '@ringfence/sdk';
import { VECTOR_SET_BYTES, VectorSet } from './vector-set.js';

const CLASS = 0xf0;

interface SavedPriorities {
  readonly tpr: number;
  readonly irr: Uint8Array;
  readonly isr: Uint8Array;
  readonly tmr: Uint8Array;
}

export class Priorities {
  tpr = 0;
  private readonly irr = new VectorSet();
  private readonly isr = new VectorSet();
  private readonly tmr = new VectorSet();

  clear(): void {
    this.tpr = 0;
    for (const set of [this.irr, this.isr, this.tmr]) set.clear();
  }

  request(vector: number, level: boolean): void {
    this.irr.set(vector, true);
    this.tmr.set(vector, level);
  }

  /** The vector that outranks what is in service and the task priority, or -1. */
  next(): number {
    const vector = this.irr.highest();
    return vector >= 0 && (vector & CLASS) > (this.processor() & CLASS) ? vector : -1;
  }

  serve(vector: number): void {
    this.irr.set(vector, false);
    this.isr.set(vector, true);
  }

  /** Ends the service of the highest vector, and answers it, or -1. */
  finish(): number {
    const vector = this.isr.highest();
    if (vector >= 0) this.isr.set(vector, false);
    return vector;
  }

  /** Whether a vector was accepted as level triggered. */
  byLevel(vector: number): boolean {
    return this.tmr.has(vector);
  }

  /** PPR. */
  processor(): number {
    const service = Math.max(0, this.isr.highest()) & CLASS;
    return (this.tpr & CLASS) >= service ? this.tpr : service;
  }

  /** APR (SDM Vol. 3A, "Arbitration Priority"). */
  arbitration(): number {
    const { tpr } = this;
    const request = Math.max(0, this.irr.highest()) & CLASS;
    const service = Math.max(0, this.isr.highest()) & CLASS;
    if ((tpr & CLASS) >= request && (tpr & CLASS) > service) return tpr;
    return Math.max(tpr & CLASS & service, request);
  }

  /** Word `index` of ISR (0 to 7), TMR (8 to 15) and IRR (16 to 23), as they lie in memory. */
  word(index: number): number {
    const set = index < 8 ? this.isr : index < 16 ? this.tmr : this.irr;
    return set.word(index & 7);
  }

  saveState(): StateRecord['data'] {
    return { tpr: this.tpr, irr: this.irr.bytes(), isr: this.isr.bytes(), tmr: this.tmr.bytes() };
  }

  static parseState(data: StateRecord['data'], key: string): SavedPriorities {
    const fields = stateFields(data, key);
    const bytes = (name: string): Uint8Array => stateBytes(fields, name, VECTOR_SET_BYTES);
    return { tpr: stateNumber(fields, 'tpr'), irr: bytes('irr'), isr: bytes('isr'), tmr: bytes('tmr') };
  }

  restore(saved: SavedPriorities): void {
    this.tpr = saved.tpr;
    this.irr.restore(saved.irr);
    this.isr.restore(saved.isr);
    this.tmr.restore(saved.tmr);
  }
}
