/**
 * A core for specs: its program is a list of functions, one an "instruction", indexed by EIP. It counts, halts, takes
 * interrupts (jumping to the instruction whose index is the vector) and does nothing else a processor does.
 */
import {
  CR0,
  EFLAGS,
  EIP,
  FLAG_IF,
  HALTED,
  STOP_BUDGET,
  STOP_HALT,
  STOP_REQUESTED,
  STOP_SHUTDOWN,
  checkedState,
  stateBytes,
  type Bus,
  type Processor,
  type ProcessorFactory,
  type ProcessorInit,
  type StateRecord,
  type Stop,
} from '@ringfence/sdk';

export interface ScriptContext {
  readonly bus: Bus;
  readonly state: Int32Array;
  readonly init: ProcessorInit;
  jump(to: number): void;
}
/** Returns 'halt' or 'shutdown' for those; past the end of the program the core executes no-ops. */
export type Script = readonly ((c: ScriptContext) => 'halt' | 'shutdown' | void)[];

class ScriptedProcessor {
  readonly state: Int32Array;
  private count = 0;
  private intr = false;
  private stop = false;

  constructor(
    readonly init: ProcessorInit,
    private readonly script: Script,
  ) {
    this.state = init.memory.stateWords(init.slot);
  }
  get space() {
    return this.init.space;
  }
  get mmu() {
    return this.init.mmu;
  }
  retired() {
    return this.count;
  }
  getEflags() {
    return this.state[EFLAGS];
  }
  setEflags(value: number) {
    this.state[EFLAGS] = value;
  }
  writeCr0(value: number) {
    this.state[CR0] = value;
    this.init.mmu.writeCr0(value);
  }
  stateChanged() {}
  reset() {
    this.state.fill(0);
  }
  setIntr(level: boolean) {
    this.intr = level;
  }
  requestStop() {
    this.stop = true;
  }
  saveState(): StateRecord {
    return {
      component: 'scripted-core',
      version: 1,
      data: { words: new Uint8Array(this.state.slice(0, 64).buffer), halted: this.state[HALTED] },
    };
  }
  loadState(record: StateRecord) {
    const data = checkedState(record, 'scripted-core', 1);
    this.state.set(new Int32Array(stateBytes(data, 'words').slice().buffer));
    this.state[HALTED] = Number(data.halted);
  }
  run(budget: number): Stop {
    this.stop = false;
    for (let i = 0; i < budget;) {
      if (this.stop) return STOP_REQUESTED;
      if (this.intr && (this.state[EFLAGS] & FLAG_IF) !== 0) {
        this.state[HALTED] = 0;
        this.state[EIP] = this.init.bus.acknowledge();
      }
      if (this.state[HALTED] !== 0) return STOP_HALT;
      const op = this.script[this.state[EIP]++];
      const result = op?.({
        bus: this.init.bus,
        state: this.state,
        init: this.init,
        jump: (to) => (this.state[EIP] = to),
      });
      this.count++;
      i++;
      if (result === 'shutdown') return STOP_SHUTDOWN;
      if (result === 'halt') {
        this.state[HALTED] = 1;
        return STOP_HALT;
      }
    }
    return STOP_BUDGET;
  }
}

/** A factory class, as a core part wants one. */
export function scriptedCore(script: Script): new () => ProcessorFactory {
  return class implements ProcessorFactory {
    create(init: ProcessorInit): Processor {
      return new ScriptedProcessor(init, script) as unknown as Processor;
    }
  };
}
