// Pairs snapshots/ with the reference's figures: writes gas.json and prints the table of docs/contracts.md.
//   node tools/gas.mjs
// Names of the snapshots are "call | variant" of gas-reference.json, build 0.8.30-cancun. Ours is corrected to the
// reference's number of zero calldata bytes (12 gas each), which depend on addresses and hashes alone.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const BUILD = '0.8.30-cancun';
const ZERO_BYTE_SAVES = 12;

const project = join(dirname(fileURLToPath(import.meta.url)), '..');
const read = (path) => JSON.parse(readFileSync(join(project, path), 'utf8'));

const measured = read('snapshots/Gas.json');
const zeros = read('snapshots/GasCalldataZeroBytes.json');
const reference = new Map(
  read('gas-reference.json')
    .cases.filter((entry) => entry.build === BUILD)
    .map((entry) => [`${entry.call} | ${entry.variant}`, entry]),
);

const cases = Object.keys(measured).map((name) => {
  const peer = reference.get(name);
  if (!peer) throw new Error(`no reference figure for ${name}`);
  // Our resolver calls take other arguments: their calldata is part of the difference.
  const sameCall = !name.startsWith('ResolverExample');
  const correction = sameCall ? ZERO_BYTE_SAVES * (Number(zeros[name]) - peer.calldata_zero_bytes) : 0;
  const ours = Number(measured[name]) + correction;
  const [call, variant] = name.split(' | ');
  return { call, variant, ours, reference: peer.gas_used, ratio: Number((ours / peer.gas_used).toFixed(4)) };
});

writeFileSync(
  join(project, 'gas.json'),
  `${JSON.stringify({ referenceBuild: BUILD, unit: 'gas of the whole transaction', cases }, null, 2)}\n`,
);
console.log('| call | case | ours | reference | difference |\n|---|---|---:|---:|---:|');
for (const { call, variant, ours, reference: theirs } of cases) {
  console.log(`| ${call} | ${variant} | ${ours} | ${theirs} | ${ours - theirs} |`);
}
