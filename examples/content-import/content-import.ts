import type OpenAI from 'openai'
import {
  analyzeImageLayout, extractPageMetadata, generateFileMetadata, generateImageMetadata, selectBestTags,
  type Attachment, type FileMetadata, type ImageLayout, type ImageMetadata, type ImportContext, type Page, type PageMetadata
} from './prompts.js'

export interface ContentInput extends ImportContext {
  readonly page: Page
  readonly image: Attachment
  readonly file: Attachment
  /** The tags to choose from. */
  readonly knownTags: readonly string[]
}

export interface ImportedContent {
  readonly page: PageMetadata
  readonly image: ImageMetadata & { readonly layout: ImageLayout }
  readonly file: FileMetadata
  /** Best first. */
  readonly tags: readonly string[]
}

/**
 * Imports a page with its image and its file: metadata for each, and tags for all of it. Five calls, five prompt types.
 *
 * @throws OpenAI.APIError what the API, or the gateway in front of it, refused
 */
export async function contentImport (openai: OpenAI, input: ContentInput): Promise<ImportedContent> {
  const [layout, page, file] = await Promise.all([
    analyzeImageLayout(openai, input.image, input),
    extractPageMetadata(openai, input.page, input),
    generateFileMetadata(openai, input.file, input)
  ])
  const image = { ...await generateImageMetadata(openai, input.image, layout, page, input), layout }
  const tags: string[] = []
  for await (const tag of selectBestTags(openai, input.knownTags, { page, image, file }, input)) tags.push(tag)
  return { page, image, file, tags }
}
