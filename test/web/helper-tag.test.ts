import t from 'tap'
import { helperTag, injectHelper } from '../../src/web/helper-tag.ts'

t.test('the helper stands first in the head', async (t) => {
  const cases: [string, string][] = [
    ['<html><head><title>', `<html><head>${helperTag}<title>`],
    ['<HTML><HEAD lang="x">\n<title>', `<HTML><HEAD lang="x">${helperTag}\n<title>`],
    ['<head\n>x', `<head\n>${helperTag}x`],
    ['<!-- <head> --><head>x', `<!-- <head> --><head>${helperTag}x`],
    ['<html><header>x', `<html>${helperTag}<header>x`],
    ['<!doctype html><p>x', `<!doctype html>${helperTag}<p>x`],
    ['<p>x', `${helperTag}<p>x`],
    ['', helperTag],
  ]
  for (const [html, expected] of cases) t.equal(injectHelper(html), expected)
})

t.test('once, and quickly on hostile markup', async (t) => {
  t.equal(injectHelper('<head><head><head>').split(helperTag).length, 2)
  const start = performance.now()
  injectHelper('<!--'.repeat(20_000))
  injectHelper(`<head ${'<'.repeat(50_000)}`)
  t.ok(performance.now() - start < 2000)
})
