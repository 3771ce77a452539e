// Deno KV / Deno Queues workloads W1-W8. Usage: see README.md.
import { kIndex, kOrder, lat, loops, makeOrder, Order, orderId, out, STEPS } from "./common.ts";

const dbPath = Deno.args[0] ?? "./bench.kv";
const only = new Set((Deno.args[1] ?? "").split(",").filter(Boolean));
const want = (w: string) => only.size === 0 || only.has(w);
const SCALE = Number(Deno.env.get("SCALE") ?? "1");
const BACKLOG = Number(Deno.env.get("BACKLOG") ?? "0"); // messages of W4, if more than W3 leaves
const N = (n: number) => Math.max(50, Math.round(n * SCALE));

const kv = await Deno.openKv(dbPath);
const DATA = N(10000);
const must = (r: { ok: boolean }) => {
  if (!r.ok) throw new Error("check failed");
};

/** W3: one atomic commit that creates an order, its index entry and its first message. */
async function createOrder(i: number, extra: Record<string, unknown> = {}) {
  const o = makeOrder(i);
  must(
    await kv.atomic()
      .check({ key: kOrder(o.id), versionstamp: null })
      .set(kOrder(o.id), o)
      .set(kIndex(o.status, o.id), o.id)
      .enqueue({ type: "step", id: o.id, step: 0, ...extra })
      .commit(),
  );
}

/** One processing step: read, compare-and-set, move the index entry, perhaps enqueue the next. */
async function advance(id: string, step: number, chain: boolean) {
  const e = await kv.get<Order>(kOrder(id));
  const o = e.value!;
  if (o.status !== STEPS[step]) return; // a redelivery: already done
  const next = { ...o, status: STEPS[step + 1], version: o.version + 1, updatedAt: Date.now() };
  let tx = kv.atomic()
    .check(e)
    .set(kOrder(id), next)
    .delete(kIndex(o.status, id))
    .set(kIndex(next.status, id), id);
  if (chain && step + 1 < STEPS.length - 1) {
    tx = tx.enqueue({ type: "step", id, step: step + 1, chain });
  }
  must(await tx.commit());
}

type Msg = { type: string; id: string; step: number; chain?: boolean; t?: number };
let onMsg: (m: Msg) => Promise<void> = async () => {};

// ---- data set
if (want("W1") || want("W2") || want("W7")) {
  for (let i = 0; i < DATA; i += 100) {
    let tx = kv.atomic();
    for (let j = i; j < Math.min(i + 100, DATA); j++) {
      const o = makeOrder(j);
      tx = tx.set(kOrder(o.id), o).set(kIndex(o.status, o.id), o.id);
    }
    must(await tx.commit());
  }
}
const rnd = () => orderId(Math.floor(Math.random() * DATA));

if (want("W1")) {
  for (const c of [1, 50]) {
    out("W1 get", await loops(N(c === 1 ? 10000 : 20000), c, async () => {
      if (!(await kv.get<Order>(kOrder(rnd()))).value) throw new Error("missing");
    }));
  }
}
if (want("W2")) {
  for (const c of [1, 50]) {
    out("W2 set", await loops(N(3000), c, async (i) => {
      await kv.set(kOrder(orderId(i % DATA)), makeOrder(i % DATA));
    }));
  }
}
if (want("W7")) {
  for (const c of [1, 50]) {
    out("W7 list100+values", await loops(N(300), c, async () => {
      const keys: Deno.KvKey[] = [];
      for await (const e of kv.list<string>({ prefix: ["by_status", "created"] }, { limit: 100 })) {
        keys.push(kOrder(e.value));
      }
      const got = [];
      for (let i = 0; i < keys.length; i += 10) { // getMany takes 10 keys at most
        got.push(kv.getMany(keys.slice(i, i + 10)));
      }
      if ((await Promise.all(got)).flat().length !== keys.length) throw new Error("short");
    }));
  }
}
const B = 1_000_000;
if (want("W3") || want("W4")) {
  const n = N(2000);
  out("W3 create+enqueue", await loops(n, 1, (i) => createOrder(B + i)));
  out("W3 create+enqueue", await loops(n, 50, (i) => createOrder(B + n + i)));
  if (want("W4")) {
    // W4: drain the backlog of 2n messages that W3 left, filled up to BACKLOG.
    const backlog = Math.max(2 * n, BACKLOG);
    if (backlog > 2 * n) await loops(backlog - 2 * n, 50, (i) => createOrder(B + 2 * n + i));
    let done = 0;
    const fin = Promise.withResolvers<void>();
    onMsg = async (m) => {
      await advance(m.id, m.step, false);
      if (++done === backlog) fin.resolve();
    };
    const t0 = performance.now();
    kv.listenQueue((m) => onMsg(m as Msg));
    await fin.promise;
    const s = (performance.now() - t0) / 1000;
    out("W4 drain backlog", { n: backlog, conc: 100, ops_s: Math.round(backlog / s) });
  }
} else if (want("W5") || want("W6")) {
  kv.listenQueue((m) => onMsg(m as Msg));
}
if (want("W5")) {
  // W5: create+enqueue -> handler entry. (a) one at a time, (b) open loop at 50 messages/s.
  for (const mode of ["one-at-a-time", "open-50/s"]) {
    const n = N(200);
    const ls: number[] = [];
    let got = Promise.withResolvers<void>();
    onMsg = async (m) => {
      if (m.t) ls.push(performance.now() - m.t);
      if (mode === "one-at-a-time" || ls.length === n) got.resolve();
      await Promise.resolve();
    };
    const base = 2_000_000 + (mode === "open-50/s" ? n : 0) + Math.floor(Math.random() * 1e9);
    for (let i = 0; i < n; i++) {
      const t = performance.now();
      if (mode === "one-at-a-time") {
        got = Promise.withResolvers<void>();
        await createOrder(base + i, { t });
        await got.promise;
      } else {
        createOrder(base + i, { t });
        await new Promise((r) => setTimeout(r, 20));
      }
    }
    if (mode !== "one-at-a-time") await got.promise;
    out("W5 enqueue->deliver " + mode, { n, ...lat(ls) });
  }
}
if (want("W6")) {
  // W6: whole lives of orders, 4 chained steps, `c` orders in flight (closed loop).
  for (const [c, n] of [[1, N(50)], [50, N(500)]]) {
    const waiting = new Map<string, () => void>();
    onMsg = async (m) => {
      await advance(m.id, m.step, true);
      if (m.step === STEPS.length - 2) waiting.get(m.id)?.();
    };
    const base = 5_000_000 + Math.floor(Math.random() * 1e9);
    out("W6 lifecycle (4 steps)", await loops(n, c, async (i) => {
      const id = orderId(base + i);
      const p = new Promise<void>((r) => waiting.set(id, r));
      await createOrder(base + i, { chain: true });
      await p;
    }));
  }
}
if (want("W8")) {
  // W8: write -> watcher, in one process.
  const o = makeOrder(9_000_001);
  await kv.set(kOrder(o.id), o);
  const ls: number[] = [];
  const n = N(200);
  const reader = kv.watch<[Order]>([kOrder(o.id)]).getReader();
  await reader.read();
  for (let i = 0; i < n; i++) {
    const t = performance.now();
    await kv.set(kOrder(o.id), { ...o, version: i });
    await reader.read();
    ls.push(performance.now() - t);
    await new Promise((r) => setTimeout(r, 5));
  }
  await reader.cancel();
  out("W8 watch (same process)", { n, ...lat(ls) });
}
kv.close();
Deno.exit(0);
