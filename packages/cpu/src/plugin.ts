/**
 * The plugin: the interpreter as a processor core, and the processor models.
 */
import { definePlugin, SDK_VERSION, type Processor, type ProcessorFactory, type ProcessorInit } from '@ringfence/sdk';
import { Cpu } from './cpu.js';
import { MODELS } from './models.js';

/** Makes interpreter cores. */
export class InterpreterFactory implements ProcessorFactory {
  create(init: ProcessorInit): Processor {
    return new Cpu(init);
  }
}

export const plugin = definePlugin({
  name: '@ringfence/cpu',
  sdk: SDK_VERSION,
  parts: [
    {
      kind: 'core',
      name: 'interpreter',
      summary: 'the reference interpreter: decoded blocks, every check of the manual',
      useClass: InterpreterFactory,
      emulator: true,
    },
    ...MODELS.map((model) => ({ kind: 'model' as const, name: model.name, summary: model.summary, model })),
  ],
});
