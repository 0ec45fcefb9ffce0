// @ts-check
// A request as curl, Python and Node. Pure; the key is always the environment's.

/**
 * @typedef {{kind: 'transcription', fields: ReadonlyArray<readonly [string, string]>, file: string}
 *   | {kind: 'speech', body: Record<string, unknown>, file: string}} Shown
 * @typedef {{known: Record<string, unknown>, extra: Record<string, unknown>}} Sorted fields that the SDKs know, and all others
 */

const KEY = 'ANTIPHON_API_KEY';
/** Fields that the SDKs take as lists. */
const LISTS = new Set(['timestamp_granularities', 'include', 'keywords', 'known_speaker_names']);
/** Fields that the SDKs know; all others go into their extra body. */
const KNOWN = new Set([
  'model',
  'language',
  'prompt',
  'response_format',
  'temperature',
  'stream',
  'chunking_strategy',
  ...LISTS,
]);

/** @param {Shown} shown @param {string} origin @returns {{curl: string, python: string, node: string}} */
export function snippets(shown, origin) {
  const base = `${origin}/v1`;
  return shown.kind === 'speech' ? speech(shown.body, shown.file, base) : transcription(shown.fields, shown.file, base);
}

/** @param {ReadonlyArray<readonly [string, string]>} fields @param {string} file @param {string} base */
function transcription(fields, file, base) {
  const own = fields.filter(([name, value]) => !(name === 'include[]' && value !== 'logprobs'));
  const curl = [
    `curl -N ${base}/audio/transcriptions`,
    `  -H "Authorization: Bearer $${KEY}"`,
    ...own.map(([name, value]) => `  --form-string ${quoted(`${name}=${value}`)}`),
    `  -F ${quoted(`file=@${formName(file)}`)}`,
  ].join(' \\\n');
  const call = sorted(own);
  return { curl, python: transcriptionInPython(call, file, base), node: transcriptionInNode(call, file, base) };
}

/** @param {Sorted} call @param {string} file @param {string} base */
function transcriptionInPython({ known, extra }, file, base) {
  const fields = Object.entries(known).map(([name, value]) => `        ${name}=${python(value)},`);
  if (Object.keys(extra).length) fields.push(`        extra_body=${python(extra)},`);
  return [
    'import os',
    '',
    'from openai import OpenAI',
    '',
    `client = OpenAI(base_url="${base}", api_key=os.environ["${KEY}"])`,
    `with open(${JSON.stringify(file)}, "rb") as audio:`,
    '    events = client.audio.transcriptions.create(',
    '        file=audio,',
    ...fields,
    '    )',
    '    for event in events:',
    '        print(event.to_json(indent=None))',
  ].join('\n');
}

/** @param {Sorted} call @param {string} file @param {string} base */
function transcriptionInNode({ known, extra }, file, base) {
  const fields = Object.entries({ ...known, ...extra });
  return [
    "import fs from 'node:fs';",
    "import OpenAI from 'openai';",
    '',
    `const client = new OpenAI({ baseURL: '${base}', apiKey: process.env.${KEY} });`,
    'const events = await client.audio.transcriptions.create({',
    `  file: fs.createReadStream(${JSON.stringify(file)}),`,
    ...fields.map(([name, value]) => `  ${name}: ${JSON.stringify(value)},`),
    '});',
    'for await (const event of events) console.log(JSON.stringify(event));',
  ].join('\n');
}

/** @param {Record<string, unknown>} body @param {string} file @param {string} base */
function speech(body, file, base) {
  const curl = [
    `curl ${base}/audio/speech`,
    `  -H "Authorization: Bearer $${KEY}"`,
    "  -H 'Content-Type: application/json'",
    `  -d ${quoted(JSON.stringify(body))}`,
    `  -o ${quoted(file)}`,
  ].join(' \\\n');
  const pythonText = [
    'import os',
    '',
    'from openai import OpenAI',
    '',
    `client = OpenAI(base_url="${base}", api_key=os.environ["${KEY}"])`,
    'answer = client.audio.speech.create(',
    ...Object.entries(body).map(([name, value]) => `    ${name}=${python(value)},`),
    ')',
    `answer.write_to_file(${JSON.stringify(file)})`,
  ].join('\n');
  const nodeText = [
    "import fs from 'node:fs';",
    "import OpenAI from 'openai';",
    '',
    `const client = new OpenAI({ baseURL: '${base}', apiKey: process.env.${KEY} });`,
    `const answer = await client.audio.speech.create(${JSON.stringify(body, null, 2)});`,
    `fs.writeFileSync(${JSON.stringify(file)}, Buffer.from(await answer.arrayBuffer()));`,
  ].join('\n');
  return { curl, python: pythonText, node: nodeText };
}

/** @param {ReadonlyArray<readonly [string, string]>} fields @returns {Sorted} */
function sorted(fields) {
  /** @type {Record<string, unknown>} */
  const known = {};
  /** @type {Record<string, unknown>} */
  const extra = {};
  for (const [full, value] of fields) {
    const name = full.replace('[]', '');
    const target = KNOWN.has(name) ? known : extra;
    const typed = value === 'true' ? true : value;
    target[name] = LISTS.has(name) ? [.../** @type {unknown[]} */ (target[name] ?? []), typed] : typed;
  }
  return { known, extra };
}

/** @param {string} text a word of a POSIX shell */
const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** A file name in curl's own quotes, where `;` and `,` would end it. @param {string} file */
const formName = (file) => (/^[\w .@%+=:/-]+$/.test(file) ? file : `"${file.replace(/[\\"]/g, '\\$&')}"`);

/** @param {unknown} value @returns {string} */
function python(value) {
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (Array.isArray(value)) return `[${value.map(python).join(', ')}]`;
  if (value && typeof value === 'object') {
    return `{${Object.entries(value)
      .map(([name, inner]) => `${JSON.stringify(name)}: ${python(inner)}`)
      .join(', ')}}`;
  }
  return JSON.stringify(value);
}
