/** The trimmed text of a form's field; '' where there is none. */
export function formText (form: FormData, name: string): string {
  const value = form.get(name)
  return typeof value === 'string' ? value.trim() : ''
}

/** The names in a form's field, with commas between them, each once. */
export const formNames = (form: FormData, name: string): string[] =>
  [...new Set(formText(form, name).split(',').map(part => part.trim()).filter(part => part !== ''))]
