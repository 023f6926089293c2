/*
 * The API's description as a page: no script, nothing from elsewhere, readable without
 * the internet.
 */

interface Schema {
  schema?: unknown
  example?: unknown
}

interface Described {
  tags: string[]
  summary: string
  description?: string
  operationId: string
  security: Record<string, unknown>[]
  parameters: { name: string; in: string; required: boolean; description?: string; schema: unknown }[]
  requestBody?: { content: Record<string, Schema> }
  responses: Record<string, { description: string; content?: Record<string, Schema> }>
}

interface Document {
  info: { title: string; version: string; summary: string }
  tags: { name: string }[]
  paths: Record<string, Record<string, Described>>
  components: { schemas: Record<string, unknown> }
}

export function renderDocs(described: Record<string, unknown>): string {
  const { info, tags, paths, components } = described as unknown as Document
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  )
  const sections = tags.map(({ name }) => {
    const inTag = operations.filter(({ operation }) => operation.tags.includes(name))
    const rendered = inTag.map(({ path, method, operation }) => renderOperation(path, method, operation))
    return `<section><h2>${escape(name)}</h2>${rendered.join('')}</section>`
  })
  const schemas = Object.entries(components.schemas).map(
    ([name, schema]) =>
      `<details id="${escape(name)}"><summary><b>${escape(name)}</b></summary>${code(schema)}</details>`,
  )
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(info.title)} ${escape(info.version)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escape(info.title)} <small>${escape(info.version)}</small></h1>
<p>${escape(info.summary)} As <a href="openapi.json">OpenAPI 3.1</a>.</p>
${sections.join('\n')}
<section><h2>Schemas</h2>${schemas.join('')}</section>
</main>
</body>
</html>
`
}

function renderOperation(path: string, method: string, operation: Described): string {
  const { summary, description, parameters, requestBody, responses, security, operationId } = operation
  const keys = security.flatMap((way) => Object.keys(way)).join(' or ') || 'nothing'
  const body = requestBody ? `<h4>Body</h4>${renderContent(requestBody.content)}` : ''
  const answers = Object.entries(responses).map(
    ([status, answer]) =>
      `<h4>${escape(status)} <span>${escape(answer.description)}</span></h4>${
        Number(status) < 300 ? renderContent(answer.content ?? {}) : ''
      }`,
  )
  return `<details id="${escape(operationId)}">
<summary><b class="${escape(method)}">${escape(method.toUpperCase())}</b> <code>${escape(path)}</code> ${escape(summary)}</summary>
${description === undefined ? '' : `<p>${escape(description)}</p>`}
<p>Wants: ${escape(keys)}</p>
${parameters.length > 0 ? renderParameters(parameters) : ''}${body}${answers.join('')}
</details>`
}

function renderParameters(parameters: Described['parameters']): string {
  const rows = parameters.map(
    ({ name, in: place, required, description = '', schema }) =>
      `<tr><td><code>${escape(name)}</code>${required ? ' *' : ''}</td><td>${escape(place)}</td>` +
      `<td><code>${escape(JSON.stringify(schema))}</code></td><td>${escape(description)}</td></tr>`,
  )
  return `<table>${rows.join('')}</table>`
}

function renderContent(content: Record<string, Schema>): string {
  return Object.entries(content)
    .map(([type, { schema, example }]) => {
      const shown = example === undefined ? '' : `<p>for example</p>${code(example)}`
      return `<p><code>${escape(type)}</code></p>${code(schema)}${shown}`
    })
    .join('')
}

const code = (value: unknown) => {
  const text = escape(JSON.stringify(value, undefined, 2))
  const linked = text.replaceAll(/#\/components\/schemas\/(\w+)/g, '<a href="#$1">$1</a>')
  return `<pre>${linked}</pre>`
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
const escape = (text: string) => text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? character)

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
main { max-width: 60rem; margin: 0 auto; padding: 1rem }
details { border: 1px solid #8886; border-radius: 6px; margin: .4rem 0; padding: .3rem .8rem }
summary { cursor: pointer; overflow-wrap: anywhere }
summary b { display: inline-block; min-width: 4rem }
.get { color: #2a7d4f } .post { color: #2563c9 } .patch { color: #a16207 } .delete { color: #c2362b }
pre { overflow: auto; max-height: 24rem; padding: .6rem; background: #8881; border-radius: 4px; font-size: .85rem }
table { border-collapse: collapse; width: 100%; font-size: .9rem }
td { border-top: 1px solid #8884; padding: .25rem .5rem; vertical-align: top; overflow-wrap: anywhere }
h4 { margin: .8rem 0 .2rem } h4 span { font-weight: normal }
`
