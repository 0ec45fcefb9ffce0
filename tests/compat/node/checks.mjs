// The official Node SDK against a running server: one JSON line a check.
// node checks.mjs BASE_URL API_KEY AUDIO_FILE
import fs from 'node:fs';
import OpenAI, { toFile } from 'openai';

const [baseURL, apiKey, audio] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const file = () => fs.createReadStream(audio);
const create = (options) => client.audio.transcriptions.create({ file: file(), model: 'whisper-1', ...options });

const checks = {
  async json() {
    return (await create({})).text;
  },
  async buffer() {
    return (await create({ file: await toFile(fs.readFileSync(audio)) })).text;
  },
  async text() {
    return create({ response_format: 'text' });
  },
  async srt() {
    return create({ response_format: 'srt' });
  },
  async verbose_json() {
    return create({ response_format: 'verbose_json', timestamp_granularities: ['word', 'segment'] });
  },
  async chunking_strategy() {
    const chunking_strategy = { type: 'server_vad', threshold: 0.5, prefix_padding_ms: 300, silence_duration_ms: 200 };
    return (await create({ model: 'gpt-4o-transcribe', chunking_strategy, include: ['logprobs'] })).logprobs.length;
  },
  async stream() {
    const events = [];
    for await (const event of await create({ model: 'gpt-4o-transcribe', stream: true })) events.push(event);
    return events;
  },
  async translation() {
    return (await client.audio.translations.create({ file: file(), model: 'whisper-1' })).text;
  },
  async speech() {
    const sizes = {};
    for (const response_format of ['mp3', 'opus', 'aac', 'flac', 'wav', 'pcm']) {
      const answer = await client.audio.speech.create({
        model: 'tts-1', voice: 'cedar', input: 'Good morning, dear friend.', response_format,
      });
      sizes[response_format] = [answer.headers.get('content-type'), (await answer.arrayBuffer()).byteLength];
    }
    return sizes;
  },
  async speech_events() {
    const answer = await client.audio.speech.create({
      model: 'gpt-4o-mini-tts', voice: 'cedar', input: 'Good morning, dear friend.', stream_format: 'sse',
    });
    const lines = (await answer.text()).split('\n\n').filter((line) => line.startsWith('data: '));
    return lines.map((line) => JSON.parse(line.slice(6)).type);
  },
  async models() {
    return (await client.models.retrieve('whisper-1')).id;
  },
  async error() {
    try {
      await create({ model: 'nope' });
    } catch (error) {
      return { name: error.constructor.name, status: error.status, code: error.code, request: error.requestID };
    }
  },
};

for (const [name, check] of Object.entries(checks)) {
  try {
    console.log(JSON.stringify({ name, value: await check() }));
  } catch (error) {
    console.log(JSON.stringify({ name, failure: String(error) }));
  }
}
