// Every language has every text, with the same places for values; the views hold no text of their own.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { sums } from '../../../app/studio/static/js/code/metrics.js';
import { LOCALES, parts, setLocale, size, span, t } from '../../../app/studio/static/js/i18n/index.js';

const JS = new URL('../../../app/studio/static/js/', import.meta.url);
const read = (path) => readFileSync(new URL(path, JS), 'utf8');
const texts = async (code) => (await import(new URL(`i18n/${code}.js`, JS))).default;
const places = (text) => [...text.matchAll(/\{(\w+)(\|)?/g)].map((found) => found[1] + (found[2] ?? '')).sort();
const sources = readdirSync(JS, { recursive: true })
  .filter((path) => path.endsWith('.js') && !path.startsWith('i18n') && !path.endsWith('icon-paths.js'))
  .map((path) => [path, read(path)]);

for (const code of ['de', 'es', 'fr']) {
  test(`${code} has the same keys and places as English`, async () => {
    const [en, other] = [await texts('en'), await texts(code)];
    assert.deepEqual(Object.keys(other), Object.keys(en));
    for (const [key, text] of Object.entries(other)) {
      assert.deepEqual(places(text), places(en[key]), key);
      assert.ok(text.trim(), key);
      for (const [, one, many] of text.matchAll(/\{\w+\|([^|}]*)\|([^|}]*)[^}]*\}/g)) {
        assert.ok(one && many.includes('#'), `${key}: ${text}`);
      }
    }
  });
}

/** Words that a language has in common with English. */
const COMMON = {
  de: [
    'export.docx',
    'export.txt',
    'nav.live',
    'nav.server',
    'player.pause',
    'player.seek',
    'server.title',
    'server.version',
    'speak.text',
    'turn.text',
  ],
  es: ['export.docx'],
  fr: ['export.docx', 'options.title', 'player.pause', 'player.seek', 'server.version'],
};

for (const [code, common] of Object.entries(COMMON)) {
  test(`no text of ${code} is English`, async () => {
    const [en, other] = [await texts('en'), await texts(code)];
    const english = Object.keys(en).filter(
      (key) => en[key] === other[key] && /\p{L}{3}/u.test(en[key].replace(/\{.*?\}/g, '')),
    );
    assert.deepEqual(english.sort(), common);
  });
}

test('every key that the page asks for exists, and none is left over', async () => {
  const en = await texts('en');
  const all = sources.map(([, text]) => text).join('\n');
  for (const [, key] of all.matchAll(/\b(?:t|rich)\('([^']+)'/g)) assert.ok(key in en, key);
  const computed = [...all.matchAll(/\bt\(`([^`$]+)\$\{/g)].map((found) => found[1]);
  const sent = read('../index.html'); // the server puts texts into it
  const unused = Object.keys(en).filter(
    (key) =>
      !all.includes(`'${key}'`) && !sent.includes(`{${key}}`) && !computed.some((start) => key.startsWith(start)),
  );
  assert.deepEqual(unused, []);
});

test('only the number one is written as a word', async () => {
  globalThis.document = { documentElement: {} };
  for (const code of Object.keys(LOCALES)) {
    await setLocale(code, false);
    assert.match(t('speak.voices', { count: 0 }), code === 'fr' ? /^aucune voix$/ : /^0 /, code);
    assert.doesNotMatch(t('phase.said', { words: 0, seconds: '0:03' }), /#|\|/, code);
    assert.doesNotMatch(t('speak.voices', { count: 1 }), /\d/, code);
    assert.match(span(1.5 * 3600), /^1[.,]5\s(hours|Stunden|horas|heure)$/, code);
  }
});

test('a limit is never told greater than it is, nor a file that is over it as one that fits', async () => {
  await setLocale('en', false);
  assert.deepEqual([10_790, 3600, 3599, 90].map(span), ['2.9 hours', '1 hour', '59 minutes', '1 minute']);
  assert.equal(size(1_000_001, 'ceil'), '1.1 MB');
});

test('names of the server stand apart, and a value has no part in that', async () => {
  await setLocale('en', false);
  const values = { name: 'a`b', size: '2 MB', limit: '1 MB' };
  assert.deepEqual(parts('drop.too-large', values), [
    'a`b has 2 MB. This server takes 1 MB at most; the setting ',
    'limits.upload_bytes',
    ' raises it.',
  ]);
});

test('views have no words of their own', () => {
  for (const [path, text] of sources.filter(([name]) => name.startsWith('views'))) {
    const literal = [...text.matchAll(/>([^<>${}]*\p{L}{3,}[^<>${}]*)<\//gu)].map((found) => found[1].trim());
    assert.deepEqual(
      literal.filter((words) => words !== 'Antiphon'),
      [],
      path,
    );
    for (const name of ['aria-label', 'title', 'placeholder']) {
      assert.doesNotMatch(text, new RegExp(`\\b${name}="[A-Za-z ]+"`), path);
    }
  }
});

test('counters are summed over their labels', () => {
  const page = [
    '# HELP antiphon_requests_total Requests answered.',
    'antiphon_requests_total{method="POST",route="/v1/a",status="200"} 5.0',
    'antiphon_requests_total{method="POST",route="/v1/a",status="429"} 2.0',
    'antiphon_requests_total{method="POST",route="/v1/b",status="503"} 1.0',
    'antiphon_refused_total{reason="requests"} 2.0',
    'antiphon_refused_total{reason="memory"} 1.0',
    'antiphon_queue_jobs 3.0',
  ].join('\n');
  const all = sums(page);
  assert.equal(all.get('antiphon_requests_total'), 8);
  assert.equal(all.get('antiphon_refused_total'), 3);
  assert.equal(all.get('antiphon_queue_jobs'), 3);
});

test('a limit is not rounded up: a file of the size that is told is taken', () => {
  assert.equal(size(1 << 30), '1.1 GB');
  assert.equal(size(1 << 30, 'floor'), '1 GB');
  assert.equal(size(999, 'floor'), '999 byte');
});
