import { deflateSync, crc32 } from 'node:zlib'
import type { Hospital } from './organization.ts'
import type { Drawing } from './shape.ts'
import { daysAgo, instant, syntheticMeta } from './shape.ts'

/** Two documents with real content: a one-page PDF letter and a PNG picture, each in a Binary of its own. */
export function drawDocuments(drawing: Drawing, hospital: Hospital, patient: string): void {
  drawDocument(drawing, hospital, patient, {
    title: 'Discharge summary',
    loinc: ['18842-5', 'Discharge summary'],
    contentType: 'application/pdf',
    content: pdf(['Discharge summary', 'Synthetic data: no real patient is described here.']),
    ago: 40,
  })
  drawDocument(drawing, hospital, patient, {
    title: 'Wound photograph, left forearm',
    loinc: ['72170-4', 'Photographic image'],
    contentType: 'image/png',
    content: png(96, 64),
    ago: 12,
  })
}

interface Document {
  readonly title: string
  readonly loinc: readonly [code: string, display: string]
  readonly contentType: string
  readonly content: Buffer
  readonly ago: number
}

function drawDocument(
  { random, now, keep }: Drawing,
  hospital: Hospital,
  patient: string,
  { title, loinc, contentType, content, ago }: Document,
): void {
  const subject = { reference: `Patient/${patient}` }
  const binary = keep(
    {
      resourceType: 'Binary',
      id: random.id(),
      meta: syntheticMeta,
      contentType,
      securityContext: subject,
      data: content.toString('base64'),
    },
    patient,
  )
  const created = instant(daysAgo(now, ago))
  keep(
    {
      resourceType: 'DocumentReference',
      id: random.id(),
      meta: syntheticMeta,
      status: 'current',
      type: {
        text: loinc[1],
        coding: [{ system: 'http://loinc.org', code: loinc[0], display: loinc[1] }],
      },
      subject,
      date: created,
      author: [{ reference: `Practitioner/${hospital.clinicians[0].id}` }],
      description: title,
      content: [
        {
          attachment: {
            contentType,
            url: `Binary/${binary.id}`,
            size: content.length,
            title,
            creation: created,
          },
        },
      ],
    },
    patient,
  )
}

/** A PDF of one page with lines of text, its cross-reference table included. */
export function pdf(lines: readonly string[]): Buffer {
  const text = lines.map((line) => `(${line.replace(/[\\()]/g, '\\$&')}) Tj 0 -28 Td`).join(' ')
  const stream = `BT /F1 18 Tf 72 720 Td ${text} ET`
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>',
    `<< /Length ${stream.length} >>\nstream\n${stream}\nendstream`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
  ]
  let body = '%PDF-1.4\n'
  const offsets = objects.map((object, index) => {
    const offset = body.length
    body += `${index + 1} 0 obj\n${object}\nendobj\n`
    return offset
  })
  const table = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('')
  const size = objects.length + 1
  const trailer = `trailer\n<< /Size ${size} /Root 1 0 R >>\nstartxref\n${body.length}\n%%EOF\n`
  return Buffer.from(`${body}xref\n0 ${size}\n0000000000 65535 f \n${table}${trailer}`, 'latin1')
}

/** A PNG picture: a soft gradient, so that a viewer shows something. */
export function png(width: number, height: number): Buffer {
  const rows = Array.from({ length: height }, (_, y) => {
    const row = Buffer.alloc(1 + width * 3)
    for (let x = 0; x < width; x += 1) {
      row[1 + x * 3] = 200 - y
      row[2 + x * 3] = 150 - Math.round(x / 2)
      row[3 + x * 3] = 140
    }
    return row
  })
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 2, 0, 0, 0], 8)
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.concat(rows))),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const framed = Buffer.alloc(body.length + 8)
  framed.writeUInt32BE(data.length, 0)
  framed.set(body, 4)
  framed.writeUInt32BE(crc32(body), body.length + 4)
  return framed
}
