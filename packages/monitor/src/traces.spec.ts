/** Memory traces: reasons are counted, mappings revoked once, and the guest's view is told to watch. */
import { MachineMemory, PAGE_WATCH, PhysicalSpace } from '@ringfence/sdk';
import { beforeEach, describe, expect, it } from 'vitest';
import { TRACE_DESCRIPTORS, TRACE_HIDDEN, TRACE_PAGE_TABLE, Traces } from './traces.js';

const RAM = 64 * 1024;
const FRAME = 0x3000;

describe('Traces', () => {
  let space: PhysicalSpace;
  let revoked: [number, boolean][];
  let traces: Traces;

  beforeEach(() => {
    space = new PhysicalSpace(new MachineMemory(RAM));
    space.mapRam(0, RAM);
    revoked = [];
    traces = new Traces(space, RAM, (page, hidden) => revoked.push([page, hidden]));
  });

  it('revokes mappings and watches the frame at the first reason only', () => {
    traces.start(FRAME, TRACE_PAGE_TABLE);
    traces.start(FRAME, TRACE_DESCRIPTORS);
    traces.start(FRAME, TRACE_PAGE_TABLE);
    expect(revoked).toEqual([[3, false]]);
    expect(space.kind[3] & PAGE_WATCH).toBe(PAGE_WATCH);
  });

  it('revokes again when a traced frame is to be hidden', () => {
    traces.start(FRAME, TRACE_DESCRIPTORS);
    traces.start(FRAME, TRACE_HIDDEN);
    expect(revoked).toEqual([
      [3, false],
      [3, true],
    ]);
  });

  it('lasts until every reason has gone', () => {
    traces.start(FRAME, TRACE_PAGE_TABLE);
    traces.start(FRAME, TRACE_PAGE_TABLE);
    traces.start(FRAME, TRACE_DESCRIPTORS);
    traces.stop(FRAME, TRACE_PAGE_TABLE);
    traces.stop(FRAME, TRACE_DESCRIPTORS);
    expect(traces.at(FRAME)).not.toBe(0);
    traces.stop(FRAME, TRACE_PAGE_TABLE);
    expect(traces.at(FRAME)).toBe(0);
    expect(space.kind[3] & PAGE_WATCH).toBe(0);
  });

  it('has nothing to trace outside of RAM', () => {
    traces.start(RAM + 0x1000, TRACE_PAGE_TABLE);
    expect(revoked).toEqual([]);
    expect(traces.at(RAM + 0x1000)).toBe(0);
  });
});
