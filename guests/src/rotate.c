// rotate: n address spaces (default 12), switched in a loop by CR3 loads. Between two visits a space's tables are
// edited while they are not loaded, and now and then a space is destroyed: its frames become ordinary data, written
// all over, and later become tables of another space. Everything read is checked against a plain model.
//
// Command line: n=12 rounds=50 (n at most 24). Prints a checksum that depends on these alone.

#include "paging.h"

#define MAX_SPACES 24u
#define TABLES 2u   // page tables of a space
#define PAGES 8u    // pages mapped in each of them
#define USED 64u    // entries of a table that are written and used; behind them stays what was in the frame before
#define DATA 32u    // data frames that all spaces share
#define WINDOW(table) (0x10000000u + (table) * 0x08000000u)
#define POOL (MAX_SPACES * (TABLES + 1))

static u32 pool[POOL][1024] PAGE_ALIGNED;
static u8 used[POOL];
static u32 low_table[1024] PAGE_ALIGNED;

#define DATA_FRAME(i) (0x00800000u + (i) * PAGE)

static struct space {
  u8 alive;
  u32 directory, table[TABLES];  // frame numbers in the pool
  u8 page[TABLES][PAGES];        // model: data frame + 1, or 0 when absent
  u8 writable[TABLES][PAGES];
} spaces[MAX_SPACES];
static u32 model[DATA];  // the word in each data frame

static u32 seed = 0x2545f491, checksum = 0x811c9dc5, evicted;

static u32 random(u32 below) {
  seed ^= seed << 13, seed ^= seed >> 17, seed ^= seed << 5;
  return (seed >> 8) % below;
}

static void mix(u32 value) {
  checksum = (checksum ^ value) * 0x01000193;
}

static u32 take_frame(void) {
  // Not the first that is free: frames wander between spaces and uses.
  u32 at = random(POOL);
  while (used[at]) at = (at + 1) % POOL;
  used[at] = 1;
  return at;
}

static u32 *entry_of(struct space *space, u32 table, u32 page) { return &pool[space->table[table]][16 + 3 * page]; }
static u32 linear_of(u32 table, u32 page) { return WINDOW(table) + (16 + 3 * page) * PAGE + 4; }

static void copy_words(u32 *to, const u32 *from, u32 words) {
  asm volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
}

/** Builds a space from frames that may just have been data. */
static void create(struct space *space) {
  space->directory = take_frame();
  u32 *directory = pool[space->directory];
  fill32(directory, 0, 1024);
  directory[0] = (u32)low_table | P | RW;
  for (u32 i = 1; i < 4; i++) directory[i] = i << 22 | P | RW | PS;
  for (u32 t = 0; t < TABLES; t++) {
    space->table[t] = take_frame();
    fill32(pool[space->table[t]], 0, USED);
    directory[WINDOW(t) >> 22] = (u32)pool[space->table[t]] | P | RW;
    for (u32 p = 0; p < PAGES; p++) {
      u32 frame = random(DATA);
      space->page[t][p] = (u8)(frame + 1);
      space->writable[t][p] = 1;
      *entry_of(space, t, p) = DATA_FRAME(frame) | P | RW;
    }
  }
  space->alive = 1;
}

/** Its frames become data: text all over, some of which looks like table entries. */
static void destroy(struct space *space) {
  u32 frames[TABLES + 1] = {space->directory, space->table[0], space->table[1]};
  for (u32 i = 0; i < TABLES + 1; i++) {
    u32 *words = pool[frames[i]];
    switch (random(3)) {
      case 0: fill32(words, 0x20202020, 256); break;
      case 1: fill32(words, DATA_FRAME(random(DATA)) | P | RW, 256); break;
      default: copy(words, image_start + random(16) * 64, 512);
    }
    // As a stack, too: PUSH and CALL into what was a table.
    u32 keep;
    asm volatile("movl %%esp, %0\n\tleal 512(%1), %%esp\n\tpushl $0x11223344\n\tcall 1f\n1:\taddl $4, %%esp\n\tpopl %%eax\n\tmovl %0, %%esp"
                 : "=&S"(keep) : "D"(words) : "eax", "memory", "cc");
    CHECK_EQ(words[127], 0x11223344);
    used[frames[i]] = 0;
  }
  space->alive = 0;
  evicted++;
}

/** Reads and writes through every page of the loaded space. */
static void visit(struct space *space) {
  for (u32 t = 0; t < TABLES; t++) {
    for (u32 p = 0; p < PAGES; p++) {
      u32 linear = linear_of(t, p), frame = space->page[t][p];
      if (!frame) {
        CHECK_EQ(TRY("movl %0, (%0)", "r"(linear)), 1);
        CHECK_PAGE_FAULT(2, linear);
        continue;
      }
      CHECK_EQ(read32(linear), model[frame - 1]);
      mix(model[frame - 1]);
      if (space->writable[t][p]) {
        model[frame - 1] += seed | 1;
        write32(linear, model[frame - 1]);
      } else if (random(4) == 0) {
        CHECK_EQ(TRY("movl %0, (%0)", "r"(linear)), 1);
        CHECK_PAGE_FAULT(3, linear);
      }
    }
  }
}

/** One edit of a space that is not loaded. */
static void edit(struct space *space) {
  u32 t = random(TABLES), p = random(PAGES), other = random(PAGES);
  u32 *one = entry_of(space, t, p), *two = entry_of(space, t, other);
  u32 frame = random(DATA);
  switch (random(24)) {
    case 0 ... 2:  // absent
      asm volatile("btrl $0, (%0)" : : "r"(one) : "memory", "cc");
      space->page[t][p] = 0;
      break;
    case 3 ... 8:  // another frame
      *one = DATA_FRAME(frame) | P | RW;
      space->page[t][p] = (u8)(frame + 1), space->writable[t][p] = 1;
      break;
    case 9 ... 11:  // read-only
      asm volatile("lock andl $~2, (%0)" : : "r"(one) : "memory", "cc");
      space->writable[t][p] = 0;
      break;
    case 12:  // the two tables change places in the directory
      for (u32 i = 0; i < PAGES; i++) {
        u8 a = space->page[0][i], b = space->writable[0][i];
        space->page[0][i] = space->page[1][i], space->writable[0][i] = space->writable[1][i];
        space->page[1][i] = a, space->writable[1][i] = b;
      }
      u32 *directory = pool[space->directory], first = space->table[0];
      space->table[0] = space->table[1], space->table[1] = first;
      directory[WINDOW(0) >> 22] = (u32)pool[space->table[0]] | P | RW;
      directory[WINDOW(1) >> 22] = (u32)pool[space->table[1]] | P | RW;
      break;
    case 13: {  // the whole table moves to a new frame, the old one becomes data
      u32 old = space->table[t], new = take_frame();
      copy_words(pool[new], pool[old], USED);
      space->table[t] = new;
      pool[space->directory][WINDOW(t) >> 22] = (u32)pool[new] | P | RW;
      fill32(pool[old], seed, 256);
      used[old] = 0;
      break;
    }
    default:  // swap two entries
      asm volatile("movl (%1), %%eax\n\txchgl %%eax, (%0)\n\tmovl %%eax, (%1)" : : "r"(one), "r"(two) : "eax", "memory");
      u8 page = space->page[t][p], writable = space->writable[t][p];
      space->page[t][p] = space->page[t][other], space->writable[t][p] = space->writable[t][other];
      space->page[t][other] = page, space->writable[t][other] = writable;
  }
}

int main(void) {
  u32 n = argument("n", 12), rounds = argument("rounds", 50);
  CHECK(n >= 2 && n <= MAX_SPACES - 1);
  for (u32 i = 0; i < 1024; i++) low_table[i] = i * PAGE | P | RW;
  for (u32 i = 0; i < DATA; i++) {
    model[i] = 0xda7a0000 + i;
    fill32((void *)DATA_FRAME(i), 0, 1024);
    write32(DATA_FRAME(i) + 4, model[i]);
  }
  for (u32 i = 0; i < n; i++) create(&spaces[i]);

  set_cr4(get_cr4() | CR4_PSE);
  set_cr3((u32)pool[spaces[0].directory]);
  set_cr0(get_cr0() | CR0_PG | CR0_WP);

  for (u32 round = 0; round < rounds; round++) {
    for (u32 i = 0; i < n; i++) {
      struct space *space = &spaces[i];
      set_cr3((u32)pool[space->directory]);
      visit(space);
      // Every other space may change while this one runs.
      for (u32 k = 0; k < 3; k++) {
        struct space *victim = &spaces[(i + 1 + random(n - 1)) % n];
        edit(victim);
      }
      if (random(16) == 0) {
        struct space *victim = &spaces[(i + 1 + random(n - 1)) % n];
        destroy(victim);
        create(victim);
      }
      if (random(4) == 0) visit(space);
    }
  }
  set_cr0(get_cr0() & ~(CR0_PG | CR0_WP));
  for (u32 i = 0; i < DATA; i++) CHECK_EQ(read32(DATA_FRAME(i) + 4), model[i]);
  put("rotate n=");
  put_dec(n);
  put(" rounds=");
  put_dec(rounds);
  put(" destroyed=");
  put_dec(evicted);
  put(" checksum=");
  put_hex(checksum);
  put("\n");
  return 0;
}
