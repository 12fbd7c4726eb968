// net: a virtio network card by its legacy interface, and the network at its other end: ARP, ping, DHCP, DNS, UDP echo, a file
// over TCP and HTTP, a name that does not exist, a network that cannot be reached, receive buffers that come late.
//
// The file is /file, any file of at least 4 KiB that begins with 7F 45 4C 46. With `tcg` on the command line the network is
// QEMU's, which has no echo, no file and other names. With `port=N` it only fetches the file, from that port;
// with `listen=N` it only serves whoever connects to it there, twice. Waiting is by HLT.

#include "paging.h"

#define PIC1 0x20
#define PIC2 0xa0
#define EOI 0x20
#define NIC 0x1800    // PCI device 3, function 0
#define PIIX3 0x0800  // device 1, function 0
#define PORTS 0xc000
#define SIZE 256
#define NEXT 1
#define WRITE 2
#define HEADER 10
#define BUFFERS 16
#define BUFFER 1536
#define RX 0
#define TX 1
#define GATEWAY 0x0a000202u
#define NAME_SERVER 0x0a000203u
#define FIN 1
#define SYN 2
#define ACK 16

static inline void outw(u16 port, u16 value) { asm volatile("outw %0, %1" : : "a"(value), "Nd"(port)); }
static inline void outl(u16 port, u32 value) { asm volatile("outl %0, %1" : : "a"(value), "Nd"(port)); }
static inline u16 inw(u16 port) {
  u16 value;
  asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
static inline u32 inl(u16 port) {
  u32 value;
  asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

// As the legacy interface lays rings out: the used ring begins at the next page.
static struct ring {
  struct {
    u32 address, address_high, length;
    u16 flags, next;
  } table[SIZE];
  volatile u16 avail_flags, avail_index, avail[SIZE], used_event;
  volatile u16 used_flags __attribute__((aligned(4096)));
  volatile u16 used_index;
  volatile struct {
    u32 id, length;
  } used[SIZE];
} rings[2] PAGE_ALIGNED;

static u32 directory[1024] PAGE_ALIGNED, tables[4][1024] PAGE_ALIGNED;
static u8 receive_buffers[BUFFERS][BUFFER] __attribute__((aligned(16)));
static u8 transmit_header[HEADER], out[BUFFER] __attribute__((aligned(16)));
static u16 taken;
static u32 held;  // the buffer of the last frame, BUFFERS for none
static volatile u32 interrupts;
static u32 own_address;
static u8 mac[6], gateway_mac[6];
static u32 checksum_of_all = 2166136261u;

static u32 get16(const u8 *at) { return (u32)at[0] << 8 | at[1]; }
static u32 get32(const u8 *at) { return get16(at) << 16 | get16(at + 2); }
static void put16(u8 *at, u32 value) { at[0] = (u8)(value >> 8), at[1] = (u8)value; }
static void put32(u8 *at, u32 value) { put16(at, value >> 16), put16(at + 2, value); }

static u32 sum(const u8 *at, u32 bytes, u32 start) {
  for (u32 i = 0; i < bytes; i += 2) start += (u32)at[i] << 8 | (i + 1 < bytes ? at[i + 1] : 0);
  while (start >> 16) start = (start & 0xffff) + (start >> 16);
  return start;
}
static u32 hash(u32 seed, const u8 *at, u32 bytes) {
  for (u32 i = 0; i < bytes; i++) seed = (seed ^ at[i]) * 16777619u;
  return seed;
}

static u32 config_read(u32 function, u32 at) {
  outl(0xcf8, 0x80000000u | function | at);
  return inl(0xcfc);
}
static void config_write(u32 function, u32 at, u32 value) {
  outl(0xcf8, 0x80000000u | function | at);
  outl(0xcfc, value);
}

static u32 on_interrupt(struct frame *frame __attribute__((unused))) {
  interrupts++;
  inb(PORTS + 19);
  outb(PIC2, EOI);
  outb(PIC1, EOI);
  return 1;
}

static void start_pics(void) {
  outb(PIC1, 0x11), outb(PIC2, 0x11);
  outb(PIC1 + 1, 0x20), outb(PIC2 + 1, 0x28);
  outb(PIC1 + 1, 4), outb(PIC2 + 1, 2);
  outb(PIC1 + 1, 1), outb(PIC2 + 1, 1);
  outb(PIC1 + 1, 0xfb), outb(PIC2 + 1, 0xf7);
  outb(0x4d1, 0x08);  // IRQ 11 is a level
  trap_hook[0x2b] = on_interrupt;
  config_write(PIIX3, 0x60, 0x800b8080);  // PIRQC#, where INTA# of device 3 goes
}

// --- the card --------------------------------------------------------------------------------------------

static void offer(u32 queue, u16 head) {
  struct ring *ring = &rings[queue];
  ring->avail[ring->avail_index % SIZE] = head;
  ring->avail_index++;
  outw(PORTS + 16, (u16)queue);
}
static void describe(u32 queue, u16 i, const volatile void *at, u32 length, u16 flags) {
  rings[queue].table[i].address = (u32)at, rings[queue].table[i].address_high = 0;
  rings[queue].table[i].length = length;
  rings[queue].table[i].flags = flags, rings[queue].table[i].next = (u16)(i + 1);
}
static void give_buffer(u16 i) {
  describe(RX, i, receive_buffers[i], BUFFER, WRITE);
  offer(RX, i);
}

static void start_card(u32 buffers) {
  CHECK_EQ(config_read(NIC, 0), 0x10001af4);
  CHECK_EQ(config_read(NIC, 0x2c), 0x00011af4);
  config_write(NIC, 0x10, PORTS);
  config_write(NIC, 4, 7);
  fill32(rings, 0, sizeof rings / 4);
  outb(PORTS + 18, 0);
  outb(PORTS + 18, 1);
  outb(PORTS + 18, 3);
  CHECK_EQ(inl(PORTS) >> 5 & 1, 1);  // VIRTIO_NET_F_MAC
  outl(PORTS + 4, 1u << 5 | 1u << 16);
  for (u16 queue = 0; queue < 2; queue++) {
    outw(PORTS + 14, queue);
    CHECK_EQ(inw(PORTS + 12), SIZE);
    outl(PORTS + 8, (u32)&rings[queue] / PAGE);
  }
  outb(PORTS + 18, 7);
  for (u32 i = 0; i < 6; i++) mac[i] = inb((u16)(PORTS + 20 + i));
  CHECK_EQ(inw(PORTS + 26) & 1, 1);  // the link is up
  taken = 0, held = BUFFERS;
  for (u16 i = 0; i < buffers; i++) give_buffer(i);
}

// Sends the frame in `out` and waits until the card has it.
static void send(u32 bytes) {
  struct ring *ring = &rings[TX];
  describe(TX, 0, transmit_header, HEADER, NEXT);
  describe(TX, 1, out, bytes, 0);
  offer(TX, 0);
  while (ring->used_index != ring->avail_index) asm volatile("sti\n\thlt\n\tcli" : : : "memory");
}

// The next frame; its bytes hold until the next call, which gives the buffer back.
static u8 *receive(u32 *bytes) {
  struct ring *ring = &rings[RX];
  if (held < BUFFERS) give_buffer((u16)held);
  while (ring->used_index == taken) asm volatile("sti\n\thlt\n\tcli" : : : "memory");
  held = ring->used[taken % SIZE].id;
  *bytes = ring->used[taken % SIZE].length - HEADER;
  taken++;
  u8 *frame = receive_buffers[held] + HEADER;
  if (!on_tcg) checksum_of_all = hash(checksum_of_all, frame, *bytes);
  return frame;
}

// --- frames ----------------------------------------------------------------------------------------------

static void ethernet(const u8 *to, u32 type) {
  for (u32 i = 0; i < 6; i++) out[i] = to ? to[i] : 0xff, out[6 + i] = mac[i];
  put16(out + 12, type);
}

// Puts the IPv4 header before `bytes` of payload at out + 34, and sends it all.
static void send_ip(u32 target, u32 protocol, u32 bytes) {
  u8 *ip = out + 14;
  ethernet(target == 0xffffffff ? 0 : gateway_mac, 0x0800);
  put16(ip, 0x4500), put16(ip + 2, 20 + bytes), put32(ip + 4, 0);
  put16(ip + 8, 64u << 8 | protocol), put16(ip + 10, 0);
  put32(ip + 12, own_address), put32(ip + 16, target);
  put16(ip + 10, ~sum(ip, 20, 0));
  if (protocol != 1) {
    u32 at = protocol == 6 ? 16 : 6;
    put16(ip + 20 + at, 0);
    put16(ip + 20 + at, ~sum(ip + 20, bytes, sum(ip + 12, 8, protocol + bytes)));
  }
  send(14 + 20 + bytes);
}

// The payload of the next IPv4 packet of a protocol, its checksums verified; others are passed over.
static u8 *receive_ip(u32 protocol, u32 *bytes) {
  for (;;) {
    u32 length;
    u8 *frame = receive(&length), *ip = frame + 14;
    if (get16(frame + 12) != 0x0800 || ip[9] != protocol) continue;
    CHECK_EQ(sum(ip, (ip[0] & 15) * 4u, 0), 0xffff);
    *bytes = get16(ip + 2) - 20;
    CHECK(20 + *bytes <= length - 14);
    if (protocol == 1) CHECK_EQ(sum(ip + 20, *bytes, 0), 0xffff);
    else CHECK_EQ(sum(ip + 20, *bytes, sum(ip + 12, 8, protocol + *bytes)), 0xffff);
    return ip + 20;
  }
}

static void send_udp(u32 target, u32 from, u32 to, u32 bytes) {
  u8 *udp = out + 34;
  put16(udp, from), put16(udp + 2, to), put16(udp + 4, 8 + bytes);
  send_ip(target, 17, 8 + bytes);
}

// --- who answers what ------------------------------------------------------------------------------------

static void arp(void) {
  u32 bytes;
  u8 *packet = out + 14;
  ethernet(0, 0x0806);
  put16(packet, 1), put16(packet + 2, 0x0800), put16(packet + 4, 0x0604), put16(packet + 6, 1);
  for (u32 i = 0; i < 6; i++) packet[8 + i] = mac[i], packet[18 + i] = 0;
  put32(packet + 14, own_address), put32(packet + 24, GATEWAY);
  send(42);
  u8 *reply;
  do reply = receive(&bytes);
  while (get16(reply + 12) != 0x0806 || get16(reply + 20) != 2);
  CHECK_EQ(get32(reply + 28), GATEWAY);
  for (u32 i = 0; i < 6; i++) gateway_mac[i] = reply[22 + i];
}

static u32 dhcp(u32 type, u32 wanted) {
  u8 *message = out + 42;
  u32 bytes, at = 240;
  for (u32 i = 0; i < 300; i++) message[i] = 0;
  put32(message, 0x01010600), put32(message + 4, 0x12345678), put16(message + 10, 0x8000);
  for (u32 i = 0; i < 6; i++) message[28 + i] = mac[i];
  put32(message + 236, 0x63825363);
  message[at++] = 53, message[at++] = 1, message[at++] = (u8)type;
  if (wanted) {
    message[at++] = 50, message[at++] = 4, put32(message + at, wanted), at += 4;
    message[at++] = 54, message[at++] = 4, put32(message + at, GATEWAY), at += 4;
  }
  message[at] = 255;
  own_address = 0;
  send_udp(0xffffffff, 68, 67, 300);
  u8 *reply = receive_ip(17, &bytes) + 8;
  CHECK_EQ(get32(reply + 4), 0x12345678);
  CHECK_EQ(get32(reply + 236), 0x63825363);
  CHECK_EQ(reply[240], 53);
  CHECK_EQ(reply[242], type == 1 ? 2 : 5);
  return get32(reply + 16);
}

static void ping(u32 size) {
  u8 *message = out + 34;
  u32 bytes;
  put32(message, 0x08000000), put32(message + 4, 0xabcd0000u | size);
  for (u32 i = 8; i < size; i++) message[i] = (u8)i;
  put16(message + 2, ~sum(message, size, 0));
  send_ip(GATEWAY, 1, size);
  u8 *reply = receive_ip(1, &bytes);
  CHECK_EQ(bytes, size);
  CHECK_EQ(get16(reply), 0);
  CHECK_EQ(get32(reply + 4), 0xabcd0000u | size);
  for (u32 i = 8; i < size; i++) CHECK_EQ(reply[i], i & 0xff);
}

// Answers the code, and the address if there is one.
static u32 dns(const char *labels, u32 *address) {
  u8 *message = out + 42;
  u32 bytes, at = 12;
  put32(message, 0x77770100), put32(message + 4, 0x00010000), put32(message + 8, 0);
  do message[at] = (u8)labels[at - 12];
  while (labels[at++ - 12]);
  put32(message + at, 0x00010001), at += 4;
  send_udp(NAME_SERVER, 4000, 53, at);
  u8 *reply = receive_ip(17, &bytes) + 8;
  CHECK_EQ(get16(reply), 0x7777);
  if (get16(reply + 6)) *address = get32(reply + bytes - 8 - 4);
  return reply[3] & 15;
}

static void udp_echo(void) {
  u8 *payload = out + 42;
  u32 bytes;
  for (u32 size = 1; size <= 1472; size += 1471) {
    for (u32 i = 0; i < size; i++) payload[i] = (u8)(i * 3);
    send_udp(GATEWAY, 4001, 7, size);
    u8 *reply = receive_ip(17, &bytes);
    CHECK_EQ(get32(reply), 7u << 16 | 4001);
    CHECK_EQ(bytes, size + 8);
    for (u32 i = 0; i < size; i++) CHECK_EQ(reply[8 + i], (i * 3) & 0xff);
  }
}

static void not_reachable(void) {
  u32 bytes;
  send_udp(0x08080808, 4002, 53, 4);
  u8 *message = receive_ip(1, &bytes);
  CHECK_EQ(get16(message), 3u << 8 | 13);
  CHECK_EQ(get32(message + 8 + 16), 0x08080808);
}

// Frames that come while the card has no buffer are there when it gets one.
static void late_buffers(void) {
  start_card(0);
  for (u32 i = 0; i < 20; i++) {
    out[42] = (u8)i;
    send_udp(GATEWAY, 4003, 7, 1);
  }
  for (u16 i = 1; i < BUFFERS; i++) give_buffer(i);
  for (u32 i = 0; i < 20; i++) {
    u32 bytes;
    CHECK_EQ(receive_ip(17, &bytes)[8], i);
  }
}

// --- TCP -------------------------------------------------------------------------------------------------

static u32 sequence, acknowledged, port = 80, own_port = 40000;

static void send_tcp(u32 flags, u32 bytes) {
  u8 *tcp = out + 34;
  put16(tcp, own_port), put16(tcp + 2, port), put32(tcp + 4, sequence), put32(tcp + 8, acknowledged);
  put16(tcp + 12, 5u << 12 | flags), put16(tcp + 14, 8000), put16(tcp + 18, 0);
  send_ip(GATEWAY, 6, 20 + bytes);
  sequence += bytes + (flags >> 1 & 1) + (flags & 1);
}

// The file's hash and size, over HTTP, with every fourth segment lost on the way in.
static u32 fetch(const char *request, u32 *size) {
  u32 bytes, seen = 0, head = 1, state = 2166136261u, newlines = 0;
  sequence = 0xfffffff0u, acknowledged = 0, *size = 0;
  send_tcp(SYN, 0);
  u8 *tcp = receive_ip(6, &bytes);
  CHECK_EQ(tcp[13], SYN | ACK);
  CHECK_EQ(get32(tcp + 8), sequence);
  acknowledged = get32(tcp + 4) + 1;
  send_tcp(ACK, 0);
  u32 length = 0;
  while (request[length]) out[54 + length] = (u8)request[length], length++;
  send_tcp(ACK, length);
  for (;;) {
    tcp = receive_ip(6, &bytes);
    CHECK_EQ(tcp[13] & (SYN | 4), 0);
    u32 offset = (tcp[12] >> 4) * 4u, data = bytes - offset;
    if (data && ++seen % 4 == 0) continue;
    if (get32(tcp + 4) != acknowledged) {
      if (data) send_tcp(ACK, 0);
      continue;
    }
    for (u32 i = 0; i < data; i++) {
      u8 byte = tcp[offset + i];
      if (head) {
        newlines = byte == '\n' ? newlines + 1 : byte == '\r' ? newlines : 0;
        if (newlines == 2) head = 0;
        continue;
      }
      if (*size == 0) CHECK_EQ(byte, 0x7f);
      state = (state ^ byte) * 16777619u;
      ++*size;
    }
    u32 fin = tcp[13] & FIN;
    acknowledged += data + fin;
    if (fin) break;
    if (data) send_tcp(ACK, 0);
  }
  send_tcp(ACK | FIN, 0);
  // What was sent again for want of an acknowledgement comes first.
  do tcp = receive_ip(6, &bytes);
  while (get32(tcp + 8) != sequence);
  return state;
}

// Whoever connects to `listen` gets each byte back, one more than it was.
static void serve(u32 listen) {
  u32 bytes, data, fin;
  u8 *tcp = receive_ip(6, &bytes);
  CHECK_EQ(get16(tcp + 2), listen);
  CHECK_EQ(tcp[13], SYN);
  own_port = listen, port = get16(tcp);
  sequence = 0x7ffffff0u, acknowledged = get32(tcp + 4) + 1;
  send_tcp(SYN | ACK, 0);
  do {
    tcp = receive_ip(6, &bytes);
    u32 offset = (tcp[12] >> 4) * 4u;
    data = bytes - offset, fin = tcp[13] & FIN;
    if (get32(tcp + 4) != acknowledged) continue;
    for (u32 i = 0; i < data; i++) out[54 + i] = (u8)(tcp[offset + i] + 1);
    acknowledged += data + fin;
    if (data) send_tcp(ACK, data);
  } while (!fin);
  send_tcp(ACK | FIN, 0);
  do tcp = receive_ip(6, &bytes);
  while (get32(tcp + 8) != sequence);
}

static void session(void) {
  u32 address = 0, size;
  start_card(BUFFERS);
  u32 offered = dhcp(1, 0);
  CHECK_EQ(dhcp(3, offered), offered);
  own_address = offered;
  CHECK_EQ(own_address, 0x0a00020f);
  arp();
  ping(8);
  ping(1480);
  if (on_tcg) return;
  u32 listen = argument("listen", 0);
  if (listen) {
    serve(listen);
    return;
  }
  if (port != 80) {
    u32 file = fetch("GET /file HTTP/1.0\r\n\r\n", &size);
    put("file of "), put_dec(size), put(" bytes "), put_hex(file), put("\n");
    return;
  }
  CHECK_EQ(dns("\4file\7example", &address), 0);
  CHECK_EQ(address, GATEWAY);
  CHECK_EQ(dns("\7nowhere", &address), 3);
  udp_echo();
  not_reachable();
  u32 file = fetch("GET /file HTTP/1.0\r\n\r\n", &size);
  CHECK(size >= 4096);
  put("file of "), put_dec(size), put(" bytes "), put_hex(file), put("\n");
  late_buffers();
}

int main(void) {
  start_pics();
  port = argument("port", 80);
  session();
  // Again with paging on, where the monitor has something to watch.
  map_identity(directory, tables);
  set_cr3((u32)directory);
  set_cr0(get_cr0() | CR0_PG);
  session();
  if (!on_tcg && port == 80 && own_port == 40000) put("frames "), put_hex(checksum_of_all), put("\n");
  return 0;
}
