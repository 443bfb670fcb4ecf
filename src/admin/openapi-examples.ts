interface Schema {
  $ref?: string
  examples?: unknown[]
  properties?: Record<string, Schema>
  items?: Schema
}

interface Media {
  schema: Schema
  example?: unknown
  examples?: object
}

interface Document {
  components: { schemas: Record<string, Schema> }
  paths: Record<string, Record<string, { requestBody?: Content, responses: Record<string, Content> }>>
}

interface Content {
  content?: Record<string, Media>
}

/**
 * Adds the examples of shared schemas to the bodies of an OpenAPI document that have none. A list gets an array or
 * page with that example. Readers and generators look for examples there.
 */
export function addExamples<T extends object> (openapi: T): T {
  const { components, paths } = openapi as unknown as Document
  const operations = Object.values(paths).flatMap(methods => Object.values(methods))
  for (const { requestBody = {}, responses } of operations) {
    for (const { content = {} } of [requestBody, ...Object.values(responses)]) {
      for (const media of Object.values(content)) {
        if (media.examples === undefined) media.example ??= exampleOf(media.schema, components.schemas)
      }
    }
  }
  return openapi
}

function exampleOf (schema: Schema, shared: Record<string, Schema>): unknown {
  const [example] = schema.examples ?? []
  if (example !== undefined) return example
  const referred = shared[schema.$ref?.split('/').at(-1) ?? '']
  if (referred !== undefined) return exampleOf(referred, shared)
  if (schema.items !== undefined) return [exampleOf(schema.items, shared)]
  const { items, next_cursor: nextCursor } = schema.properties ?? {}
  if (items?.items === undefined || nextCursor === undefined) return undefined
  return { items: [exampleOf(items.items, shared)], total: 1, next_cursor: null }
}
