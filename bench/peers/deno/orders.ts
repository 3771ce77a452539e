// Prints the records of the orders named by number, one compact JSON a line: deno run orders.ts 0 1 9999
import { makeOrder } from "./common.ts";

for (const i of Deno.args) console.log(JSON.stringify(makeOrder(Number(i))));
