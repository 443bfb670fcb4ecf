import { Type } from 'typebox'

/** RFC 9562 §4. Text that is none names nothing: it is asked for in vain, not wrongly. */
export const isUuid = (text: string): boolean => /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(text)

/** The path parameter `id` of a resource. */
export const Id = (resource: string, example: string) =>
  Type.String({ description: `The ${resource}'s id`, examples: [example] })
