/**
 * A folder of Linux kernel modules as modprobe wants it: the modules, and the `modules.dep` and `modules.alias` that depmod
 * would have made (depmod(8), modules.dep(5)), from what each module says of itself in its .modinfo section: texts
 * `key=value` that end in a zero byte. It compares no versions of symbols; that is the kernel's business.
 */
import { RingfenceError } from '@ringfence/sdk';
import type { CpioEntry } from './cpio.js';

interface ModuleInfo {
  readonly name: string;
  /** Of the kernel it was built for. */
  readonly release: string;
  readonly depends: readonly string[];
  readonly aliases: readonly string[];
  readonly bytes: Uint8Array;
}

/** `lib/modules/RELEASE` with everything in it; `lib` is the caller's. Throws RF_PACKAGE_MISMATCH for what is no module. */
export function moduleFolder(modules: readonly Uint8Array[]): CpioEntry[] {
  const infos = modules.map(moduleInfo);
  if (infos.length === 0) return [];
  const { release } = infos[0];
  const stranger = infos.find((info) => info.release !== release);
  if (stranger !== undefined) throw notModule(`${stranger.name} is for ${stranger.release}, not ${release}`);
  const byName = new Map(infos.map((info) => [info.name, info]));
  const folder = `lib/modules/${release}`;
  const text = (file: string, lines: readonly string[]): CpioEntry => ({
    kind: 'file',
    path: `${folder}/${file}`,
    mode: 0o644,
    bytes: Buffer.from(lines.map((line) => `${line}\n`).join('')),
  });
  return [
    { kind: 'folder', path: 'lib/modules', mode: 0o755 },
    { kind: 'folder', path: folder, mode: 0o755 },
    ...infos.map(({ name, bytes }) => ({ kind: 'file', path: `${folder}/${name}.ko`, mode: 0o644, bytes }) as const),
    text(
      'modules.dep',
      infos.map(
        (info) =>
          `${info.name}.ko:${needs(info, byName)
            .map((name) => ` ${name}.ko`)
            .join('')}`,
      ),
    ),
    text(
      'modules.alias',
      infos.flatMap(({ name, aliases }) => aliases.map((alias) => `alias ${alias} ${name}`)),
    ),
  ];
}

/** Whatever a module needs, what needs something before what it needs: modprobe loads from the end. */
function needs(info: ModuleInfo, byName: ReadonlyMap<string, ModuleInfo>): string[] {
  const found: string[] = [];
  const visit = ({ name, depends }: ModuleInfo): void => {
    for (const each of depends) {
      const other = byName.get(each);
      if (other === undefined) throw notModule(`${name} needs ${each}, which is not there`);
      const at = found.indexOf(each);
      if (at >= 0) found.splice(at, 1);
      found.push(each);
      visit(other);
    }
  };
  visit(info);
  return found;
}

function moduleInfo(bytes: Uint8Array): ModuleInfo {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  const values = (key: string): string[] =>
    [...text.matchAll(new RegExp(`\\0${key}=([\\x20-\\x7e]*)(?=\\0)`, 'g'))].map(([, value]) => value);
  const [name] = values('name');
  const [release] = values('vermagic').map((value) => value.split(' ')[0]);
  if (!text.startsWith('\x7fELF') || name === undefined || release === undefined)
    throw notModule('a file is no module');
  const depends = values('depends').flatMap((value) => value.split(',').filter((each) => each !== ''));
  return { name, release, depends, aliases: values('alias'), bytes };
}

function notModule(why: string): RingfenceError {
  return new RingfenceError('RF_PACKAGE_MISMATCH', {
    message: `the kernel's modules are not as expected: ${why}`,
    value: why,
    fix: "the package's layout has changed: report this to the authors of Ringfence",
  });
}
