import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NoticeNews } from './notice-news.ts';

test('what one worker said is not heard from another for a minute', () => {
  const notices = new NoticeNews();
  assert.equal(notices.isNews(1, 'disk full', 0), true);
  assert.equal(notices.isNews(2, 'disk full', 1), false);
  assert.equal(notices.isNews(2, 'disk hot', 1), true);
  assert.equal(notices.isNews(2, 'disk full', 60_000), true);
});

test('a worker that repeats itself is heard, and goes on speaking for the others', () => {
  const notices = new NoticeNews();
  assert.equal(notices.isNews(1, 'lost', 0), true);
  assert.equal(notices.isNews(1, 'lost', 50_000), true);
  assert.equal(notices.isNews(2, 'lost', 70_000), false);
});

test('the oldest is forgotten first', () => {
  const notices = new NoticeNews();
  for (let index = 0; index <= 1000; index++) notices.isNews(1, `${index}`, 0);
  assert.equal(notices.isNews(2, '0', 1), true);
  assert.equal(notices.isNews(2, '1000', 1), false);
});
