/**
 * DMA on the ISA bus as a chip at a DREQ line sees it: a channel whose address, length and direction software has programmed
 * into the controller (8237A). The controller is a device (`provides: ['isa-dma']`); chips ask it for their channel.
 * Whole blocks move at the instant a chip has them; there is no cycle stealing.
 */

export interface DmaTransfer {
  /** How many bytes went over: fewer than offered when the count ran out, 0 when the channel is masked or set otherwise. */
  readonly bytes: number;
  /** The count ran out with the last of them: the TC line. */
  readonly terminalCount: boolean;
}

/**
 * Preconditions of every transfer: between two instructions, as for `DmaMemory`. A channel programmed to verify moves nothing
 * and counts all the same.
 */
export interface DmaChannel {
  /** From the chip to memory. Nothing moves on a channel programmed for the other direction. */
  toMemory(from: Uint8Array): DmaTransfer;
  /** From memory to the chip. */
  fromMemory(into: Uint8Array): DmaTransfer;
}

export interface IsaDma {
  /** 0 to 3 carry bytes, 5 to 7 carry words; 4 joins the two controllers and is nobody's. */
  channel(index: number): DmaChannel;
}
