import { crc32, deflateSync } from 'node:zlib'
import type { ContentInput } from './content-import.js'

const page = `<!doctype html><html lang="en"><head><title>Tidal mill reopens after twelve years</title></head><body><article>
<h1>Tidal mill reopens after twelve years</h1>
<p>The tidal mill at Harrow Creek turned for the first time since 2014 on Saturday. Volunteers rebuilt the wheel from
local oak and cleared the mill pond of silt. The mill grinds with the ebb: twice a day, for about five hours.</p>
<p>Flour is sold at the door. The trust publishes its yearly report, with visitor numbers and costs, as a PDF.</p>
</article></body></html>`

/** An import to play with: a small page, a real PNG of 64 × 32 bars, and a one-page PDF, all made here. */
export function sampleInput (user: string, importId: string): ContentInput {
  return {
    user,
    importId,
    page: { url: 'https://harrow-creek.example/news/tidal-mill', content: page },
    image: { name: 'visitors-by-month.png', mediaType: 'image/png', bytes: barChartPng(64, 32) },
    file: {
      name: 'report-2025.pdf',
      mediaType: 'application/pdf',
      bytes: onePagePdf('Harrow Creek Mill Trust: report 2025. 4,812 visitors, 31 tonnes of flour.')
    },
    knownTags: [
      'heritage', 'renewable-energy', 'volunteering', 'food', 'annual-report', 'sport', 'travel', 'statistics'
    ]
  }
}

/** PNG (ISO/IEC 15948): signature, header, one compressed block of grey scan lines, end. */
function barChartPng (width: number, height: number): Buffer {
  const rows = Array.from({ length: height }, (_, y) => Buffer.from([0 /* no filter */, ...Array.from({ length: width },
    (_, x) => y >= height - (Math.floor(x / 8) * 7 % height) && x % 8 < 6 ? 0x30 : 0xff)]))
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.writeUInt8(8, 8) // Bits per sample; colour type 0 is grey.
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
  return Buffer.concat([
    signature,
    pngChunk('IHDR', header),
    pngChunk('IDAT', deflateSync(Buffer.concat(rows))),
    pngChunk('IEND', Buffer.alloc(0))
  ])
}

function pngChunk (type: string, data: Buffer): Buffer {
  const typed = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const length = Buffer.alloc(4)
  length.writeUInt32BE(data.length)
  const checksum = Buffer.alloc(4)
  checksum.writeUInt32BE(crc32(typed))
  return Buffer.concat([length, typed, checksum])
}

/** PDF 1.4 (ISO 32000): objects, the table of their offsets, and a pointer to it. */
function onePagePdf (text: string): Buffer {
  const content = `BT /F1 12 Tf 72 720 Td (${text.replace(/[()\\]/g, '\\$&')}) Tj ET`
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>',
    `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>'
  ]
  let pdf = '%PDF-1.4\n'
  const offsets = objects.map((object, i) => {
    const offset = pdf.length
    pdf += `${i + 1} 0 obj\n${object}\nendobj\n`
    return offset
  })
  const table = pdf.length
  pdf += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n`
  pdf += offsets.map(offset => `${String(offset).padStart(10, '0')} 00000 n \n`).join('')
  pdf += `trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${table}\n%%EOF\n`
  return Buffer.from(pdf, 'latin1')
}
