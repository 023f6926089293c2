import { access, readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { loadAll } from 'js-yaml'
import { SETTING_NAMES } from '../../src/config.ts'
import { LOG_MODULES } from '../../src/log.ts'

const ROOT = new URL('../../', import.meta.url).pathname

describe('the documents', () => {
  let documents: { path: string; text: string }[]

  before(async () => {
    const docs = (await readdir(join(ROOT, 'docs')))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `docs/${name}`)
    const paths = ['README.md', 'CHANGELOG.md', ...docs]
    documents = await Promise.all(paths.map(async (path) => ({ path, text: await readFile(join(ROOT, path), 'utf8') })))
  })

  const textOf = (path: string) => documents.find((document) => document.path === path)?.text ?? ''

  it('link to what there is', async () => {
    const broken: string[] = []
    for (const { path, text } of documents)
      for (const [, link = ''] of text.matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g)) {
        const exists = await access(join(ROOT, dirname(path), link)).then(
          () => true,
          () => false,
        )
        if (!exists) broken.push(`${path}: ${link}`)
      }
    expect(broken).to.deep.equal([])
  })

  it('name every setting in the README, and no other', () => {
    const readme = textOf('README.md')
    for (const name of SETTING_NAMES) expect(readme, name).to.match(new RegExp(`\`${name}\``))
    for (const { path, text } of documents)
      for (const [name] of text.matchAll(/\bREPLAY_[A-Z_]+\b/g)) expect(SETTING_NAMES, path).to.include(name)
  })

  it('name every part that has a log level', () => {
    const named = textOf('docs/operating.md').match(/The parts are (.*?)\. A name/s)?.[1] ?? ''
    expect([...named.matchAll(/`(\w+)`/g)].map(([, name]) => name)).to.have.members([...LOG_MODULES])
  })

  it('come with manifests whose settings there are', async () => {
    const text = await readFile(join(ROOT, 'deploy/kubernetes.yaml'), 'utf8')
    const [deployment] = loadAll(text) as [Deployment, unknown]
    const [container] = deployment.spec.template.spec.containers
    const names = container?.env.map(({ name }) => name) ?? []
    expect(names.filter((name) => !SETTING_NAMES.includes(name))).to.deep.equal(['POD_IP'])
  })
})

interface Deployment {
  spec: { template: { spec: { containers: { env: { name: string }[] }[] } } }
}
