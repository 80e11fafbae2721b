// Runs the script of verifiers/verify.html as a browser does, with the WebCrypto of Node, and prints like the Python verifier.
//   node page.mjs FILE… [--key KEYID]… [--text FILE] [--now INSTANT]
import { readFileSync } from "node:fs";
import { webcrypto } from "node:crypto";
import vm from "node:vm";

const page = readFileSync(new URL("../../verifiers/verify.html", import.meta.url), "utf8");
const script = page.match(/<script>([\s\S]*?)<\/script>/)[1];
// Only what an old browser has: no fetch, no require, no process.
const world = vm.createContext({ crypto: webcrypto, TextEncoder, Uint8Array });
vm.runInContext(script, world);

const given = { files: [], keys: [], text: null, now: null };
for (let rest = process.argv.slice(2); rest.length; ) {
  const word = rest.shift();
  if (word === "--key") given.keys.push(rest.shift());
  else if (word === "--text") given.text = JSON.parse(readFileSync(rest.shift(), "utf8"));
  else if (word === "--now") given.now = rest.shift();
  else given.files.push({ name: word, text: readFileSync(word, "utf8") });
}
const result = await world.MingjianVerify.run(given.files, given.keys, given.text, given.now);
if (result.unusable) process.stderr.write(`${result.unusable}\n`);
for (const line of result.lines) process.stdout.write(`${line.sign} ${line.zh}\n  ${line.en} [${line.code}]\n`);
process.exitCode = result.status;
