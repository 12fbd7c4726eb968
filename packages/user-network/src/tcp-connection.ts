/**
 * One end of a TCP connection (RFC 9293, 3.10 "Event Processing"), for services inside the process and relays of the host.
 *
 * What comes in goes straight to the service, which says by `room` how much it takes: that is the window. What goes out
 * waits in a queue of 64 KiB until it is acknowledged; `sndUna` is the sequence number of the queue's first byte. A segment
 * is accepted in order only: the cable loses nothing but what a full backlog drops, and a peer sends that again.
 * Retransmission goes back to `sndUna`, after a second that doubles (RFC 6298's least, because round trips here are a matter
 * of microseconds), or at the third duplicate acknowledgement. A zero window is probed by the same timer.
 * Does not do: round-trip estimation, congestion control (the window and the backlog bound what is on the way), delayed
 * acknowledgements, urgent data, simultaneous open, keep-alive; `idle` connections end by a limit instead.
 */
import type { ByteQueue } from './byte-queue.js';
import { MAX_WINDOW, type TcpEnds, type TcpHost, type TcpService, type TcpState } from './tcp-contract.js';
import { ACK, FIN, MSS, PSH, RST, SYN, distance, type TcpSegment } from './tcp-segment.js';

/** Seconds. */
const RETRANSMIT = 1;
const MAX_RETRANSMIT = 60;
const TIME_WAIT = 10;
const IDLE = 900;
/** 1 + 2 + 4 + ... seconds: about two minutes. */
const MAX_RETRIES = 7;
const DUPLICATES = 3;

/** Everything of a connection that is a number, by name, for its saved state. */
export const NUMBERS = [
  'local',
  'localPort',
  'remote',
  'remotePort',
  'sndUna',
  'sndNxt',
  'sndMax',
  'sndWnd',
  'rcvNxt',
  'rcvEdge',
  'mss',
  'duplicates',
  'retries',
] as const;

export class TcpConnection implements TcpEnds {
  state: TcpState = 'syn-received';
  local = 0;
  localPort = 0;
  remote = 0;
  remotePort = 0;
  sndUna = 0;
  sndNxt = 0;
  /** The highest `sndNxt` before it went back. */
  sndMax = 0;
  sndWnd = 0;
  rcvNxt = 0;
  /** The right edge of the window last advertised. */
  rcvEdge = 0;
  mss = MSS;
  duplicates = 0;
  retries = 0;
  /** The service has no more to send; FIN goes out behind the queue. */
  finQueued = false;
  /** Ticks, or Infinity. */
  retransmitAt = Infinity;
  lifeEnds = Infinity;
  /** The backlog was full when it had something to send. */
  stalled = false;

  constructor(
    private readonly host: TcpHost,
    readonly service: TcpService,
    /** For the saved state: which service it is. */
    readonly serviceName: string,
    readonly queue: ByteQueue,
  ) {}

  /** A connection that `syn` asks for. */
  accept(syn: TcpSegment, iss: number): void {
    this.place(syn.target, syn.targetPort, syn.source, syn.sourcePort, iss);
    this.state = 'syn-received';
    this.rcvNxt = (syn.sequence + 1) >>> 0;
    this.mss = syn.mss;
    this.sndWnd = syn.window;
    this.sendSyn();
  }

  /** A connection that we ask for. */
  open(ends: TcpEnds, iss: number): void {
    this.place(ends.local, ends.localPort, ends.remote, ends.remotePort, iss);
    this.state = 'syn-sent';
    this.sendSyn();
  }

  private place(local: number, localPort: number, remote: number, remotePort: number, iss: number): void {
    Object.assign(this, { local, localPort, remote, remotePort, sndUna: iss, sndNxt: iss, sndMax: iss });
    this.touch();
  }

  get window(): number {
    return Math.max(0, Math.min(MAX_WINDOW, this.service.room(this)));
  }

  /** How many bytes `write` takes. */
  get room(): number {
    return this.finQueued || this.over ? 0 : this.queue.room;
  }

  private get over(): boolean {
    return this.state === 'closed' || this.state === 'time-wait';
  }

  /** Queues bytes of the service. Preconditions: within `room`. */
  write(data: Uint8Array): void {
    this.queue.push(data);
    this.output();
  }

  /** The service has said everything. */
  close(): void {
    if (this.finQueued) return;
    this.finQueued = true;
    this.output();
  }

  abort(): void {
    if (this.state === 'closed') return;
    if (this.state !== 'syn-sent') this.host.transmit(this, this.sndNxt, RST | ACK);
    this.end(false);
  }

  /** The service takes more again: the peer is told when it is worth a segment. */
  windowOpened(): void {
    if (!this.synchronized || this.over) return;
    const edge = (this.rcvNxt + this.window) >>> 0;
    const gained = distance(edge, this.rcvEdge);
    const left = distance(this.rcvEdge, this.rcvNxt);
    if (gained > 0 && (left < MSS || gained >= MAX_WINDOW / 2)) this.sendAck();
  }

  private get synchronized(): boolean {
    return this.state !== 'syn-sent' && this.state !== 'syn-received';
  }

  /** One segment from the peer. */
  input(segment: TcpSegment): void {
    if (this.state === 'closed') return;
    if (this.state === 'syn-sent') return this.inputSynSent(segment);
    const { flags } = segment;
    // Data before rcvNxt was here already; what is behind the window's edge is not for now.
    let { data } = segment;
    let sequence = segment.sequence;
    const early = distance(this.rcvNxt, sequence);
    const inWindow = early <= 0 && -early <= Math.max(0, distance(this.rcvEdge, this.rcvNxt));
    if ((flags & RST) !== 0) {
      // RFC 5961, 3.2: only a reset at the very number ends it, any other in the window is asked back about.
      if (early === 0) this.end(false);
      else if (inWindow) this.sendAck();
      return;
    }
    if ((flags & SYN) !== 0) {
      if (this.state === 'syn-received' && early === 1) this.sendSynAgain();
      else this.sendAck();
      return;
    }
    const length = data.length + ((flags & FIN) !== 0 ? 1 : 0);
    if ((early > 0 && early >= Math.max(1, length)) || (early < 0 && !inWindow)) {
      // Wholly old or wholly beyond. A zero-window probe is among these.
      if (length > 0 || early > 0) this.sendAck();
      if ((flags & ACK) !== 0 && early > 0) this.inputAck(segment);
      return;
    }
    if ((flags & ACK) === 0 || !this.inputAck(segment)) return;
    if (early > 0) {
      data = data.subarray(early);
      sequence = this.rcvNxt;
    }
    if (sequence !== this.rcvNxt) {
      if (length > 0) this.sendAck();
      return;
    }
    this.inputData(data, (flags & FIN) !== 0);
  }

  private inputSynSent({ flags, acknowledged, sequence, mss, window }: TcpSegment): void {
    const acked = (flags & ACK) !== 0 && acknowledged === this.sndNxt;
    if (!acked) return;
    if ((flags & RST) !== 0) return this.end(false);
    if ((flags & SYN) === 0) return;
    this.rcvNxt = (sequence + 1) >>> 0;
    this.mss = mss;
    this.sndUna = acknowledged;
    this.sndWnd = window;
    this.established();
    this.sendAck();
  }

  private established(): void {
    this.state = 'established';
    this.retries = 0;
    this.retransmitAt = Infinity;
    this.touch();
    this.service.writable(this);
    this.output();
  }

  /** False when the rest of the segment is not to be looked at. */
  private inputAck({ acknowledged, window, data, flags }: TcpSegment): boolean {
    if (distance(acknowledged, this.sndMax) > 0) {
      this.sendAck();
      return false;
    }
    // The peer had kept what came after a loss.
    if (distance(acknowledged, this.sndNxt) > 0) this.sndNxt = acknowledged;
    if (this.state === 'syn-received') {
      if (acknowledged !== this.sndNxt) return false;
      this.sndUna = acknowledged;
      this.sndWnd = window;
      this.established();
      return (this.state as TcpState) !== 'closed';
    }
    const advance = distance(acknowledged, this.sndUna);
    if (advance < 0) return true;
    const same = advance === 0 && window === this.sndWnd && data.length === 0 && (flags & FIN) === 0;
    this.sndWnd = window;
    this.retries = 0;
    if (advance > 0) this.acknowledge(advance);
    else if (same && this.sndNxt !== this.sndUna && ++this.duplicates === DUPLICATES) this.goBack();
    if ((this.state as TcpState) === 'closed') return false;
    this.touch();
    this.output();
    return (this.state as TcpState) !== 'closed';
  }

  /** `advance` more numbers are acknowledged: bytes of the queue, and behind them the FIN. */
  private acknowledge(advance: number): void {
    const bytes = Math.min(advance, this.queue.length);
    this.queue.drop(bytes);
    this.sndUna = (this.sndUna + advance) >>> 0;
    this.duplicates = 0;
    this.retransmitAt = this.sndUna === this.sndNxt ? Infinity : this.retransmitDeadline();
    if (advance > bytes) this.finAcknowledged();
    else if (bytes > 0) {
      this.service.writable(this);
      this.windowOpened();
    }
  }

  private finAcknowledged(): void {
    if (this.state === 'fin-wait-1') this.state = 'fin-wait-2';
    else if (this.state === 'closing') this.waitOut();
    else if (this.state === 'last-ack') this.end(true);
  }

  private inputData(data: Uint8Array, fin: boolean): void {
    const takes = this.state === 'established' || this.state === 'fin-wait-1' || this.state === 'fin-wait-2';
    if (!takes) {
      // The peer's FIN again: our acknowledgement was lost.
      if (data.length > 0 || fin) this.sendAck();
      return;
    }
    const taken = data.subarray(0, Math.min(data.length, this.window));
    this.rcvNxt = (this.rcvNxt + taken.length) >>> 0;
    if (taken.length > 0) this.service.receive(this, taken);
    if (this.state === 'closed') return;
    const finished = fin && taken.length === data.length;
    if (finished) this.rcvNxt = (this.rcvNxt + 1) >>> 0;
    if (data.length > 0 || finished) this.sendAck();
    if (!finished) return;
    if (this.state === 'established') this.state = 'close-wait';
    else if (this.state === 'fin-wait-1') this.state = 'closing';
    else this.waitOut();
    this.service.finished(this);
  }

  private waitOut(): void {
    this.state = 'time-wait';
    this.retransmitAt = Infinity;
    this.lifeEnds = this.host.now() + TIME_WAIT * this.host.hz;
  }

  /** Sends what the peer's window and the backlog allow. */
  output(): void {
    const open = this.state === 'established' || this.state === 'close-wait';
    const closing = this.state === 'fin-wait-1' || this.state === 'closing' || this.state === 'last-ack';
    if (!open && !closing) return;
    for (;;) {
      const sent = distance(this.sndNxt, this.sndUna);
      const left = this.queue.length - sent;
      // FIN takes the number behind the last byte; once it is out, `left` is -1.
      if (left < 0 || (left === 0 && !this.finQueued)) break;
      const room = this.sndWnd - sent;
      const bytes = Math.max(0, Math.min(left, this.mss, room));
      // Nothing fits, or only a crumb while something is on the way (RFC 9293, 3.8.6.2.1).
      if (left > 0 && (bytes === 0 || (bytes < left && bytes < this.mss && sent > 0))) break;
      const fin = this.finQueued && bytes === left;
      const flags = ACK | (fin ? FIN : 0) | (bytes === left && bytes > 0 ? PSH : 0);
      if (!this.send(sent, bytes, flags)) return;
      if (fin) this.finSent();
    }
    // Something waits and nothing is on the way: a window of zero, to be probed.
    if (this.retransmitAt === Infinity && this.queue.length > 0) this.retransmitAt = this.retransmitDeadline();
  }

  private finSent(): void {
    if (this.state === 'established') this.state = 'fin-wait-1';
    else if (this.state === 'close-wait') this.state = 'last-ack';
  }

  private send(offset: number, bytes: number, flags: number): boolean {
    const data = bytes > 0 ? this.queue.copy(offset, bytes) : undefined;
    if (!this.host.transmit(this, this.sndNxt, flags, data)) {
      this.stalled = true;
      return false;
    }
    this.sndNxt = (this.sndNxt + bytes + ((flags & FIN) !== 0 ? 1 : 0)) >>> 0;
    if (distance(this.sndNxt, this.sndMax) > 0) this.sndMax = this.sndNxt;
    if (this.retransmitAt === Infinity) this.retransmitAt = this.retransmitDeadline();
    return true;
  }

  private sendSyn(): void {
    this.sndNxt = this.sndMax = (this.sndUna + 1) >>> 0;
    this.sendSynAgain();
  }

  private sendSynAgain(): void {
    this.host.transmit(this, this.sndUna, this.state === 'syn-sent' ? SYN : SYN | ACK);
    this.retransmitAt = this.retransmitDeadline();
  }

  sendAck(): void {
    this.host.transmit(this, this.sndNxt, ACK);
  }

  /** The backlog has room again. */
  resume(): void {
    if (!this.stalled) return;
    this.stalled = false;
    this.output();
  }

  private goBack(): void {
    this.sndNxt = this.sndUna;
    this.duplicates = 0;
    this.retransmitAt = Infinity;
  }

  private retransmitDeadline(): number {
    const seconds = Math.min(MAX_RETRANSMIT, RETRANSMIT * 2 ** this.retries);
    return this.host.now() + seconds * this.host.hz;
  }

  /** The next tick at which `timeOut` is due. */
  get deadline(): number {
    return Math.min(this.retransmitAt, this.lifeEnds);
  }

  /** Preconditions: `deadline` has come. */
  timeOut(): void {
    if (this.host.now() >= this.lifeEnds) {
      if (this.state === 'time-wait') this.end(true);
      else this.abort();
      return;
    }
    if (++this.retries > MAX_RETRIES) return this.abort();
    this.retransmitAt = Infinity;
    if (this.state === 'syn-sent' || this.state === 'syn-received') return this.sendSynAgain();
    this.goBack();
    this.output();
    // A window of zero let nothing out: one byte asks how it stands, and is sent again with the rest.
    if (this.sndNxt === this.sndUna && this.queue.length > 0 && !this.stalled) {
      this.send(0, 1, ACK);
      this.sndNxt = this.sndUna;
    }
    this.retransmitAt = this.retransmitDeadline();
  }

  private touch(): void {
    if (this.state !== 'time-wait') this.lifeEnds = this.host.now() + IDLE * this.host.hz;
  }

  private end(orderly: boolean): void {
    this.state = 'closed';
    this.retransmitAt = Infinity;
    this.lifeEnds = Infinity;
    this.service.closed(orderly);
  }
}
