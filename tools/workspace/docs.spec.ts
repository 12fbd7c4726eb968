/**
 * The documents may not go stale: every relative link leads to a file, and every `path/like/this` in backticks that starts
 * with a folder of ours exists (a `*`, `…` or a name with "mine"/"mychip" marks a pattern or an example).
 * It does not follow links to the web, nor anchors.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from './packages.mjs';

const documents = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const EXAMPLE = /[*…{<]|mine|mychip/;

it.each(documents)('%s points at files that exist', (document) => {
  const text = readFileSync(join(root, document), 'utf8');
  const links = [...text.matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)/g)].map((m) => join(dirname(document), m[1]));
  const paths = [...text.matchAll(/`((?:packages|apps|tools|docs|guests|bench|examples)\/[^`\s]+)`/g)].map((m) => m[1]);
  const missing = [...links, ...paths.filter((path) => !EXAMPLE.test(path))].filter(
    (path) => !existsSync(join(root, path)),
  );
  expect(missing).toEqual([]);
});
