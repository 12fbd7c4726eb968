/**
 * Lint for the whole workspace, one process: typed rules, and the layer boundaries that keep parts exchangeable.
 * The layers are the `layer:` tags in each project.json; docs/how-to/keep-the-boundaries.md says what to do about a message.
 * Layout is prettier's business, not ESLint's.
 */
import eslint from '@eslint/js';
import nx from '@nx/eslint-plugin';
import prettier from 'eslint-config-prettier';
import tseslint from 'typescript-eslint';

/** The rule of nx, whose messages end with where to read on. */
const explained = (rule) => {
  const entries = Object.entries(rule.meta.messages);
  const messages = Object.fromEntries(
    entries.map(([id, text]) => [id, `${text}\nSee docs/how-to/keep-the-boundaries.md.`]),
  );
  return { ...rule, meta: { ...rule.meta, messages } };
};
const nxPlugin = {
  ...nx,
  rules: { 'enforce-module-boundaries': explained(nx.rules['enforce-module-boundaries']) },
};

/** What Node offers without an import; TypeScript knows it for itself. */
const nodeGlobals = Object.fromEntries(Object.getOwnPropertyNames(globalThis).map((name) => [name, 'readonly']));

/** Which layers a layer may import. `testkit` is for specs and their helpers (`testing/`, `test/`) only. */
function layers({ spec }) {
  const allowed = {
    sdk: [],
    testkit: ['sdk'],
    library: ['sdk'],
    part: ['sdk', 'library'],
    machine: ['sdk'],
    preset: ['sdk', 'part'],
    app: ['sdk', 'machine', 'preset'],
    workspace: ['sdk', 'testkit', 'library', 'part', 'machine', 'preset', 'app'],
  };
  return Object.entries(allowed).map(([layer, list]) => {
    const may = spec && layer !== 'sdk' && layer !== 'testkit' ? [...list, 'testkit'] : list;
    const tags = (spec && layer === 'preset' ? [...may, 'machine'] : may).map((name) => `layer:${name}`);
    return { sourceTag: `layer:${layer}`, onlyDependOnLibsWithTags: tags };
  });
}

const boundaries = (options) => [
  'error',
  { enforceBuildableLibDependency: false, allow: [], depConstraints: layers(options) },
];

export default tseslint.config(
  {
    ignores: [
      '**/dist/**',
      '**/node_modules/**',
      '**/generated/**',
      '.nx/**',
      '.cache/**',
      'reports/**',
      'coverage/**',
    ],
  },
  eslint.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: { project: './tsconfig.check.json', tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-non-null-assertion': 'off',
      // An interface method that a fake or a stub leaves empty is normal here.
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/require-await': 'off',
      // Registers and flags are compared across enum-like constants on purpose.
      '@typescript-eslint/no-unsafe-enum-comparison': 'off',
      // A first value keeps a variable's type steady where hot loops assign it later.
      'no-useless-assignment': 'off',
      'no-fallthrough': ['error', { allowEmptyCase: true }],
      'no-constant-condition': ['error', { checkLoops: false }],
    },
  },
  {
    files: ['**/*.{js,mjs}'],
    languageOptions: { globals: nodeGlobals },
  },
  {
    files: ['**/*.ts'],
    plugins: { '@nx': nxPlugin },
    rules: { '@nx/enforce-module-boundaries': boundaries({ spec: false }) },
  },
  {
    files: ['**/*.spec.ts', '**/testing/**/*.ts', '**/test/**/*.ts'],
    rules: {
      '@nx/enforce-module-boundaries': boundaries({ spec: true }),
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  prettier,
);
