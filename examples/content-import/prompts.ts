import type OpenAI from 'openai'
import { promptHeaders } from './prompt-headers.js'

/** A picture or document, sent inline. */
export interface Attachment {
  readonly name: string
  readonly mediaType: string
  readonly bytes: Uint8Array
}

export interface Page {
  readonly url: string
  /** HTML or plain text. */
  readonly content: string
}

/** Whose import it is and which one: goes into the books with every call. */
export interface ImportContext {
  readonly user: string
  readonly importId: string
}

export interface ImageLayout { kind: 'photo' | 'chart' | 'screenshot' | 'document', regions: string[], visible_text: string }
export interface PageMetadata { title: string, summary: string, language: string, topics: string[] }
export interface ImageMetadata { alt_text: string, caption: string, keywords: string[] }
export interface FileMetadata { title: string, document_type: string, summary: string, keywords: string[] }

const text = { type: 'string' } as const
const texts = { type: 'array', items: text } as const

/** Where things stand in a picture and what is written in it. */
export async function analyzeImageLayout (
  openai: OpenAI, image: Attachment, context: ImportContext
): Promise<ImageLayout> {
  const completion = await openai.chat.completions.create({
    model: 'gpt-4o-mini',
    messages: [
      {
        role: 'system',
        content: 'Describe the layout of the image: what kind it is, its regions from top left to bottom right, and any text in it, verbatim.'
      },
      { role: 'user', content: [{ type: 'image_url', image_url: { url: dataUrl(image), detail: 'low' } }] }
    ],
    response_format: jsonSchema('image_layout', {
      kind: { enum: ['photo', 'chart', 'screenshot', 'document'] }, regions: texts, visible_text: text
    })
  }, {
    headers: promptHeaders({
      type: 'analyze_image_layout',
      description: 'Finds the regions and the text of an imported image',
      user: context.user,
      metadata: { import_id: context.importId, image: image.name, image_bytes: image.bytes.length }
    })
  })
  return answer(completion) as ImageLayout
}

/** Title, summary, language and topics of a web page. */
export async function extractPageMetadata (openai: OpenAI, page: Page, context: ImportContext): Promise<PageMetadata> {
  const completion = await openai.chat.completions.create({
    model: 'gpt-4.1-mini',
    messages: [
      {
        role: 'system',
        content: 'Extract metadata from the page. Summarise in two sentences, in the language of the page. Give its language as a BCP 47 tag.'
      },
      { role: 'user', content: `URL: ${page.url}\n\n${page.content}` }
    ],
    response_format: jsonSchema('page_metadata', { title: text, summary: text, language: text, topics: texts })
  }, {
    headers: promptHeaders({
      type: 'extract_page_metadata',
      description: 'Title, summary, language and topics of an imported page',
      user: context.user,
      metadata: { import_id: context.importId, url: page.url }
    })
  })
  return answer(completion) as PageMetadata
}

/** Alternative text, caption and keywords of a picture. Through the Responses API, with a reasoning model. */
export async function generateImageMetadata (
  openai: OpenAI, image: Attachment, layout: ImageLayout, page: PageMetadata, context: ImportContext
): Promise<ImageMetadata> {
  const response = await openai.responses.create({
    model: 'gpt-5-mini',
    reasoning: { effort: 'low' },
    instructions: 'Write alternative text (one sentence, what a blind reader needs), a caption and keywords for the image. Use the layout and the page it stands on.',
    input: [{
      role: 'user',
      content: [
        { type: 'input_text', text: JSON.stringify({ layout, page_title: page.title, page_topics: page.topics }) },
        { type: 'input_image', image_url: dataUrl(image), detail: 'low' }
      ]
    }],
    text: {
      format: {
        type: 'json_schema',
        name: 'image_metadata',
        strict: true,
        schema: objectSchema({ alt_text: text, caption: text, keywords: texts })
      }
    }
  }, {
    headers: promptHeaders({
      type: 'generate_image_metadata',
      description: 'Alternative text, caption and keywords for an imported image',
      user: context.user,
      metadata: { import_id: context.importId, image: image.name, layout: layout.kind }
    })
  })
  return JSON.parse(response.output_text) as ImageMetadata
}

/** Title, kind, summary and keywords of a document. */
export async function generateFileMetadata (
  openai: OpenAI, file: Attachment, context: ImportContext
): Promise<FileMetadata> {
  const completion = await openai.chat.completions.create({
    model: 'gpt-4.1',
    messages: [
      {
        role: 'system',
        content: 'Describe the attached document for a catalogue: title, document type, a summary of one or two sentences, keywords.'
      },
      { role: 'user', content: [{ type: 'file', file: { filename: file.name, file_data: dataUrl(file) } }] }
    ],
    response_format: jsonSchema('file_metadata', { title: text, document_type: text, summary: text, keywords: texts })
  }, {
    headers: promptHeaders({
      type: 'generate_file_metadata',
      description: 'Catalogue entry for an imported document',
      user: context.user,
      metadata: { import_id: context.importId, file: file.name, file_bytes: file.bytes.length }
    })
  })
  return answer(completion) as FileMetadata
}

/** The tags that fit, best first, each as soon as its line is complete. */
export async function * selectBestTags (
  openai: OpenAI, candidates: readonly string[], about: object, context: ImportContext
): AsyncGenerator<string> {
  const stream = await openai.chat.completions.create({
    model: 'gpt-4.1-nano',
    stream: true,
    messages: [
      {
        role: 'system',
        content: 'Choose the best tags for the content, at most five, best first, one a line, only from this list:\n' +
          candidates.join('\n')
      },
      { role: 'user', content: JSON.stringify(about) }
    ]
  }, {
    headers: promptHeaders({
      type: 'select_best_tags',
      description: 'Chooses tags for imported content from the known ones',
      user: context.user,
      metadata: { import_id: context.importId, candidates: candidates.length }
    })
  })
  let line = ''
  for await (const chunk of stream) {
    const lines = (line + (chunk.choices[0]?.delta.content ?? '')).split('\n')
    line = lines.pop() ?? ''
    yield * known(lines, candidates)
  }
  yield * known([line], candidates)
}

/** Models invent tags now and then. */
function known (lines: readonly string[], candidates: readonly string[]): string[] {
  return lines.map(line => line.trim()).filter(tag => candidates.includes(tag))
}

function dataUrl ({ mediaType, bytes }: Attachment): string {
  return `data:${mediaType};base64,${Buffer.from(bytes).toString('base64')}`
}

function jsonSchema (name: string, properties: Record<string, unknown>): OpenAI.ResponseFormatJSONSchema {
  return { type: 'json_schema', json_schema: { name, strict: true, schema: objectSchema(properties) } }
}

/** Strict structured output wants every property required and none besides. */
function objectSchema (properties: Record<string, unknown>): Record<string, unknown> {
  return { type: 'object', properties, required: Object.keys(properties), additionalProperties: false }
}

/** The answer's JSON; strict structured output holds it to the schema. A refusal has none. */
function answer (completion: OpenAI.ChatCompletion): unknown {
  const message = completion.choices[0]?.message
  if (typeof message?.content !== 'string') throw new Error(message?.refusal ?? 'The model gave no answer.')
  return JSON.parse(message.content)
}
