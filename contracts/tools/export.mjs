// Builds src/ from nothing and writes one JSON per shipped contract:
// {contractName, abi, bytecode, deployedBytecode, immutableReferences}, keys sorted.
//   node tools/export.mjs [FOLDER]      FOLDER defaults to the package's artifacts
// Always a whole build: the compiler numbers what it sees, and code from a partial build may differ.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const NAMES = ['EscrowFactory', 'EscrowSrc', 'EscrowDst', 'Resolver', 'BmnToken', 'NoopToken', 'Create3Factory'];

const project = join(dirname(fileURLToPath(import.meta.url)), '..');
const target = process.argv[2] ? resolve(process.argv[2]) : join(project, '../src/bmn/bindings/artifacts');

const sorted = (value) => {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
};

// The compiler keys these by node number, which is of no use outside; ours are 0, 1, ... by position.
const immutableReferences = (references) =>
  Object.fromEntries(
    Object.values(references ?? {})
      .sort((a, b) => a[0].start - b[0].start)
      .map((spans, index) => [String(index), spans]),
  );

const build = mkdtempSync(join(tmpdir(), 'bmn-contracts-'));
try {
  execFileSync(
    join(project, 'node_modules/.bin/forge'),
    ['build', '--skip', 'test', '--force', '--out', join(build, 'out'), '--cache-path', join(build, 'cache')],
    { cwd: project, stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, HOME: build } },
  );
  mkdirSync(target, { recursive: true });
  for (const name of NAMES) {
    const made = JSON.parse(readFileSync(join(build, 'out', `${name}.sol`, `${name}.json`), 'utf8'));
    const artifact = sorted({
      contractName: name,
      abi: made.abi,
      bytecode: made.bytecode.object,
      deployedBytecode: made.deployedBytecode.object,
      immutableReferences: immutableReferences(made.deployedBytecode.immutableReferences),
    });
    writeFileSync(join(target, `${name}.json`), `${JSON.stringify(artifact, null, 2)}\n`);
  }
  console.log(`${NAMES.length} artifacts written`);
} finally {
  rmSync(build, { recursive: true });
}
