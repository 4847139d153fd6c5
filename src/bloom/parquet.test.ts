/** The parquet layout beside real writers of Parquet files. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parquetMetadata } from 'hyparquet';
import { ByteWriter, parquetWrite } from 'hyparquet-writer';
import { createFilter, filterFromParquet } from './bloom-filter.ts';

const keys = [...Array.from({ length: 100 }, (_, index) => `user:${index}`), 'Grüße', '日本', '😀', ''];

/** Made with pyarrow 25.0.1: `write_table(keys, bloom_filter_options={'name': {'ndv': 104, 'fpp': 0.05}})`. */
const byArrow = Buffer.from(
  'e5aedc6c7e93ffdc8dd737fe157f766dbd2d74075cf2c6ebf7a29defd9793efa31dfbaba8eef878ed0fe6d3ecff84cc40bcc1f6ede942d932f9e1fd7dfaa89ac' +
    '41bda0b527088f85c3ccb3c128b4332c136f410f912478a724ab3c1ae81b40a9ec0e6cbecb0655929e469d336dfdf2d26a6e3db715bc5e4ad71deee9ac3a57fa',
  'hex',
);

/** The bitset that hyparquet-writer puts into a file: behind a header of its own, at the end of what the metadata names. */
async function byHyparquet(values: readonly string[], falsePositiveRate: number): Promise<Uint8Array> {
  const writer = new ByteWriter();
  const bloomFilter = { ndv: values.length, fpp: falsePositiveRate };
  await parquetWrite({
    writer,
    rowGroupSize: values.length,
    columnData: [{ name: 'name', data: [...values], type: 'STRING', bloomFilter }],
  });
  const file = writer.getBuffer();
  const chunk = parquetMetadata(file).row_groups[0]!.columns[0]!.meta_data!;
  const end = Number(chunk.bloom_filter_offset) + chunk.bloom_filter_length!;
  const start = Number(chunk.bloom_filter_offset);
  const size = 2 ** Math.floor(Math.log2(end - start));
  return new Uint8Array(file.slice(end - size, end));
}

/** A filter with the same number of blocks and nothing in it. */
function emptyLike(bits: Uint8Array) {
  return filterFromParquet(new Uint8Array(bits.length));
}

test('the bits are those of Arrow and of hyparquet-writer for the same keys, in both directions', async () => {
  for (const bits of [byArrow, await byHyparquet(keys, 0.05), await byHyparquet(keys, 0.0001)]) {
    const read = filterFromParquet(bits);
    assert.ok(!read.hasMany(keys).includes(0));
    const written = emptyLike(bits);
    written.addMany(keys);
    assert.deepEqual(Buffer.from(written.bits), Buffer.from(bits));
  }
});

test('of 10,000 keys hyparquet-writer sets the bits that are set here, whatever their length', async () => {
  const many = Array.from({ length: 10_000 }, (_, index) => `${index}`.repeat(1 + (index % 40)));
  const bits = await byHyparquet(many, 0.01);
  const written = emptyLike(bits);
  written.addMany(many);
  assert.deepEqual(Buffer.from(written.bits), Buffer.from(bits));
});

test('a filter from Parquet says how many keys it holds at 1 %, and goes on like any other', () => {
  const own = createFilter({ capacity: 100_000, layout: 'parquet' });
  const read = filterFromParquet(own.bits);
  assert.ok(Math.abs(read.capacity - 100_000) < 100, `${read.capacity}`);
  own.add('a');
  read.merge(own);
  assert.ok(read.has('a'));
  for (const size of [0, 31, 33]) {
    assert.throws(() => filterFromParquet(new Uint8Array(size)), { code: 'FILTER_DAMAGED' });
  }
  assert.throws(() => filterFromParquet([1, 2] as never), {
    code: 'OPTIONS_INVALID',
    message: /expected a Uint8Array/,
  });
});
