/**
 * Makes MMUs by constructor: what the container gives for `Tokens.MmuFactory`. Stateless, so that the hardware's MMU
 * and the emulator's can come from one factory.
 */
import type { Mmu, MmuFactory, MmuInit } from '@ringfence/sdk';
import { PagingMmu } from './paging.js';

export class PagingMmuFactory implements MmuFactory {
  create(init: MmuInit): Mmu {
    return new PagingMmu(init);
  }
}
