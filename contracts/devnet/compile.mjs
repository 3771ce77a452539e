// Compiles the unmodified limit order protocol from its npm package, once, into
// out/LimitOrderProtocol.json: {contractName, abi, bytecode, deployedBytecode, madeFrom}.
// Does nothing when that file was made from the same packages and settings.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CONTRACT = 'LimitOrderProtocol';
const SOURCE = '@1inch/limit-order-protocol-contract/contracts/LimitOrderProtocol.sol';
const CODE_SIZE_LIMIT = 24576; // EIP-170
const SETTINGS = {
  evmVersion: 'cancun',
  viaIR: true,
  optimizer: { enabled: true, runs: 1000000 },
  metadata: { appendCBOR: false, bytecodeHash: 'none' },
  outputSelection: {
    [SOURCE]: { [CONTRACT]: ['abi', 'evm.bytecode.object', 'evm.deployedBytecode.object'] },
  },
};

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, 'out', `${CONTRACT}.json`);
const madeFrom = createHash('sha256')
  .update(readFileSync(join(here, 'package-lock.json')))
  .update(JSON.stringify(SETTINGS))
  .digest('hex');

const isCurrent = () => {
  if (!existsSync(target)) return false;
  try {
    return JSON.parse(readFileSync(target, 'utf8')).madeFrom === madeFrom;
  } catch {
    return false; // unreadable: make it again
  }
};

const readImport = (path) => {
  const file = join(here, 'node_modules', path);
  return existsSync(file) ? { contents: readFileSync(file, 'utf8') } : { error: `${path} not found` };
};

const compile = () => {
  const solc = createRequire(import.meta.url)('solc');
  const input = {
    language: 'Solidity',
    sources: { [SOURCE]: { content: readImport(SOURCE).contents } },
    settings: SETTINGS,
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: readImport }));
  const errors = (output.errors ?? []).filter((e) => e.severity === 'error');
  if (errors.length > 0) throw new Error(errors.map((e) => e.formattedMessage).join('\n'));
  const { abi, evm } = output.contracts[SOURCE][CONTRACT];
  const size = evm.deployedBytecode.object.length / 2;
  if (size > CODE_SIZE_LIMIT) throw new Error(`${CONTRACT}: ${size} bytes of code, limit ${CODE_SIZE_LIMIT}`);
  return {
    contractName: CONTRACT,
    abi,
    bytecode: `0x${evm.bytecode.object}`,
    deployedBytecode: `0x${evm.deployedBytecode.object}`,
    madeFrom,
  };
};

if (isCurrent()) {
  console.log(`${CONTRACT}: up to date`);
} else {
  console.log(`${CONTRACT}: compiling`);
  const artifact = compile();
  mkdirSync(dirname(target), { recursive: true });
  // Renamed into place: a reader, or a second compile, never sees half a file.
  const draft = `${target}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify(artifact, null, 2)}\n`);
  renameSync(draft, target);
  // The compiler's wasm keeps the event loop alive for a while; everything is on disk now.
  process.exit(0);
}
