/**
 * The transcendental functions round correctly: arguments and results below were worked out with 700 bits by mpmath 1.3, not by
 * us and not by a processor (angles reduced by the 66-bit pi, as SDM Vol. 1, 8.3.8 has it). The vectors of packages/cpu/test compare with a real part.
 */
import { describe, expect, it } from 'vitest';
import { FPU_WORDS } from '@ringfence/sdk';
import { arctangent } from './arctangent.js';
import { Extended } from './extended.js';
import { C1, Fpu } from './fpu.js';
import { powerOf2Minus1, yLog2X, yLog2XPlus1 } from './logarithm.js';
import { cosine, sine, tangent } from './trigonometry.js';

const one = new Extended();
/** a is ST(0), b ST(1). */
const FUNCTIONS: Readonly<Record<string, (f: Fpu) => void>> = {
  sin: (f) => sine(f, f.a, f.r),
  cos: (f) => cosine(f, f.a, f.r),
  tan: (f) => tangent(f, f.a, f.r, one),
  f2xm1: (f) => powerOf2Minus1(f, f.a, f.r),
  atan2: (f) => arctangent(f, f.a, f.b, f.r),
  yl2x: (f) => yLog2X(f, f.a, f.b, f.r),
  yl2xp1: (f) => yLog2XPlus1(f, f.a, f.b, f.r),
};

/** Function, rounding control, ST(0), ST(1), result, C1. */
const CASES = `
atan2 0 3ff98d857c79fc91c332 bfe192db988c38ed301a bfe784d39643a7e5c7ab 0
atan2 0 3febd579447a00000000 c00cf99dd6f682fdca3e bfffc90fdaa1eaad0e3d 0
atan2 0 3ff4b9cfdc4caa95b427 c005b6a7f27800000000 bfffc90f99870cab9115 0
atan2 1 3fd8aedd2c9000000000 bfe8dd2cccb700000000 bfffc90f756f4dde1217 1
atan2 1 401a98b97ff36ad63122 bfdac6ee56da00000000 bfbfa6b9ddf0a1ace704 1
atan2 1 bfe78a02f12f38a91773 40189f04f1938d58f7ba 3fffc90fdaa22168f9c0 0
atan2 2 3fe49b216db500000000 bfeec801272900000000 bfffc8f708a109d04d07 0
atan2 2 bfd7cb3dcf4500000000 3fd9e10d668c00000000 3fffe57bf0179064d1ad 1
atan2 2 bfebd19696c354794d52 c013b30afad6dbf99901 bfffc90fdaa221fe988a 0
atan2 3 3ff1ec8a8190a23abed9 bfdee8cc3b9b00000000 bfebfbf2e50cc7d695be 0
atan2 3 3ffa9f4ee84800000000 3feb85e63f08b8378e0f 3fefd72b59810da1ce27 0
atan2 3 bfda9cf92fa800000000 c00a9f9a0c9994ff9dea bfffc90fdaa221694019 0
cos 0 bfff817a781000000000 - 3ffe87d1f6825e68f871 0
cos 0 bfeecf6b8c1a00000000 - 3ffeffffffffabf87320 1
cos 0 c011e88324b200000000 - 3ffcc0541b48ceea3fc6 0
cos 1 3fbd8aeab03742567b76 - 3ffeffffffffffffffff 0
cos 1 400ab0101e2000000000 - bffe8a0bfc4d81c672b4 1
cos 1 c033c969412a98b38dcd - bffe821293ae28d310f7 1
cos 2 c01fbc88ce8600000000 - bffef717e505fa828da0 0
cos 2 c01ac8dee06512b57359 - bffea5dbcfd840570146 0
cos 2 c006c15f60ae54d35073 - 3ffca7cfb3c205a84cf7 1
cos 3 c032ffa401e00ea20979 - 3ffafe8a179eee67941b 0
cos 3 c02e8f3330d2c7b7ff8e - bffda8d5b1bc77ab8df4 0
cos 3 bfb9c721793b00000000 - 3ffeffffffffffffffff 0
f2xm1 0 3ff7baf8f60600000000 - 3ff781db28a8b5494a67 0
f2xm1 0 3fe5d400d47c00af7f6e - 3fe592f30f36bfdf4fea 0
f2xm1 0 3fc9ed4b10f9f9e027ad - 3fc9a47aa861d983b2e1 1
f2xm1 1 3fe390982dbec2db0240 - 3fe2c87351e2b9deea85 0
f2xm1 1 3fc3dd6e693332e7e468 - 3fc3997c06a28574b395 0
f2xm1 1 3ff3da2bfd4fab43222b - 3ff3973f3b9c28a7c05b 0
f2xm1 2 bfc291898ce725f43a00 - bfc1c9c1ee999da7736c 0
f2xm1 2 bfb794cc30240e06fe5f - bfb6ce46fc4982142053 0
f2xm1 2 3fd180b2f08476ac1096 - 3fd0b26a280eb58d4e3d 1
f2xm1 3 3ff5f272e529aad2cf34 - 3ff5a82915c13aa186ff 0
f2xm1 3 3fb8cb41292bf5da80fb - 3fb88ce2a38357b627e3 0
f2xm1 3 3fc4898ed8ada5e20306 - 3fc3beb2249b1819cdf6 0
sin 0 3fe9d98e2df700000000 - 3fe9d98e2df6fff9740f 0
sin 0 3fc093a23bad1f27e646 - 3fc093a23bad1f27e646 1
sin 0 3ff0d7a8470b84fdd6cb - 3ff0d7a84709ece0a761 1
sin 1 3ff9d3fe838ff64e396d - 3ff9d3f874f0885484c9 0
sin 1 3fbd816b481100000000 - 3fbd816b4810ffffffff 0
sin 1 bfc7b0678dcd00000000 - bfc7b0678dcd00000000 1
sin 2 4021b85eafbd5ae0100a - 3ffeee1681b789bcf928 1
sin 2 3fefe87bc1f0de586ef1 - 3fefe87bc1f05e860fb3 1
sin 2 401b922a9cd9b4c2e262 - bffcb1134c68a45f9223 0
sin 3 3feecfdca23bb2d42e96 - 3feecfdca23b9bfd2e62 0
sin 3 3fc89c06527b7782fe85 - 3fc89c06527b7782fe84 0
sin 3 3fd4c3ba0a8300000000 - 3fd4c3ba0a82ffffffff 0
tan 0 3fe3ca696c2a3366366a - 3fe3ca696c2a33663713 1
tan 0 4002e230f2f3714c047d - 400b9058575481ee6984 0
tan 0 bffeeb445e0d60f2e22f - bfffa7c0ecba276119d0 0
tan 1 c011e3ac88d600000000 - bffff8171d65e1860d73 1
tan 1 bff39c27bf05e1358275 - bff39c27bf53594e3900 1
tan 1 3fc6be70439d81fc0877 - 3fc6be70439d81fc0877 0
tan 2 3fe5a84a7750ef3ab394 - 3fe5a84a7750ef3ab9a4 1
tan 2 c012baaa3e8700000000 - bfffeefc1eca035587a2 0
tan 2 402fa3875ba300000000 - c00392e62e02c7621647 0
tan 3 c005f3f163205f304b6a - 3ffe9d2f77800c1db428 0
tan 3 c000d92eb29200000000 - bffd83c3238e5ccfd508 0
tan 3 c0148a48f3c328e281a1 - bfff96f3126274522830 0
yl2x 0 401ff3ac3b43f0e27d51 bfebd6d1a9db00000000 bff0dd0ddb56b35d61d1 1
yl2x 0 3fdaae88d8b6b15c1ec3 c026fcb46d8a43fa14fb 402c905419ce8b31adcf 0
yl2x 0 401d9cb2e5fd24a27ba2 c00b9bca8e71f9c49b8c c0109379a3807bed59e3 1
yl2x 1 3fff8000000000000055 bff3e85ad091d654f68e bfbbde9ae58281bce802 1
yl2x 1 4007e1bf859a3592a7df c00fb5205f09aac1f10f c012c7a8d7a4377edcdb 1
yl2x 1 3ff9a89deb84b54eb3c1 3fe1d37d44c1dc2b1b21 bfe4941b1883de627219 1
yl2x 2 3fff80001fac4ba5bb8c c023ebc1cd9c0cf096de c012a85323fd026ee5fd 0
yl2x 2 4009ca37fae3c06ef872 3ff8801b76cd00000000 3ffbaab305da19bf8f59 1
yl2x 2 3ffe800000000000001a c00a8243468328acaf9e 400a8243468328acaf78 1
yl2x 3 3fdbb3193134402617a7 3fe3adc1235500000000 bfe8c0d7a82dad724943 0
yl2x 3 3fff8000000000000007 c018b89db58cfcb5a4d6 bfdce90d344b9f1a4b5f 0
yl2x 3 401aef3b1bffe78e1a13 c01f826e2f3c00000000 c023e374d9b4e5b7376c 0
yl2xp1 0 bfc1e9bfa816e8ee7230 401ff3c86915bbfd2b9c bfe3a09134ae05666167 0
yl2xp1 0 3fbee3d0dba923c11a18 c005c9de30e34478fd36 bfc68195d87e99ec6e69 1
yl2xp1 0 3fd2dc3e8e005946b859 bfe4932d4dfa69400816 bfb8b6accfa44772cb86 1
yl2xp1 1 bff0d265868ddb9f461f c014cc9f432aac16bb54 4006f2a02b36076725dc 0
yl2xp1 1 3fb0ae4bd9b09bd8c6e3 c020b452041500000000 bfd2b11eb6100c4234c5 1
yl2xp1 1 bfb2f7b0971200000000 c024a4197c5800000000 3fd8e50f797bffc4e0aa 0
yl2xp1 2 3fc6f3ae391c1b6206e7 3fefa6f573a800000000 3fb7e5477d3115314075 1
yl2xp1 2 bfcda74149813391736a 400ff6d87dbf3ec05e61 bfdee8ab5db163664daa 0
yl2xp1 2 bfd78e665dc300000000 40208c0e1c921f1704d8 bff8e0c9bb856e7bec7a 0
yl2xp1 3 bfc8e2eaf57900000000 3fe584ae608783bfc514 bfafa9ac416ec9c61813 0
yl2xp1 3 3fb09ff63daafab3e0d1 c022d95f857839828d49 bfd4c3f48c02af0e524b 0
yl2xp1 3 3fc38fab32687ca7b4d7 bfefb765271200000000 bfb4947c571d025f6676 0
`
  .trim()
  .split('\n')
  .map((line) => line.split(' '));

const hex = (value: number, digits: number) => (value >>> 0).toString(16).padStart(digits, '0');

function set(x: Extended, text: string): void {
  const head = parseInt(text.slice(0, 4), 16);
  x.set(head >> 15, head & 0x7fff, parseInt(text.slice(4, 12), 16) | 0, parseInt(text.slice(12), 16) | 0);
}

describe('transcendental functions', () => {
  it.each(Object.keys(FUNCTIONS))('%s is rounded correctly', (name) => {
    const f = new Fpu(new Int32Array(FPU_WORDS));
    f.powerUp();
    const cases = CASES.filter(([of]) => of === name);
    expect(cases).toHaveLength(12);
    for (const [, rounding, a, b, result, up] of cases) {
      f.setControl(0x37f | (Number(rounding) << 10));
      f.begin();
      set(f.a, a);
      if (b !== '-') set(f.b, b);
      FUNCTIONS[name](f);
      f.commit();
      const { sign, exp, hi, lo } = f.r;
      const got = hex((sign << 15) | exp, 4) + hex(hi, 8) + hex(lo, 8);
      expect([got, (f.status & C1) !== 0 ? '1' : '0'], `${rounding} ${a} ${b}`).toEqual([result, up]);
    }
  });
});
