import { type Document, isScalar, type Scalar, visit } from 'yaml'
import { didYouMean } from './nearest.ts'

const VARIABLE = /\$\{([^}]*)\}/g
const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/**
 * Puts the environment's values in place of `${NAME}` in the document's values (keys stay as they are). A variable
 * that is not set is reported and left as it is.
 */
export function substitute(
  document: Document,
  environment: Readonly<Record<string, string | undefined>>,
  report: (node: Scalar, path: readonly string[], message: string) => void,
): void {
  visit(document, {
    Scalar(key, node, ancestors) {
      if (key === 'key' || typeof node.value !== 'string') return
      node.value = node.value.replaceAll(VARIABLE, (written, name: string) => {
        const value = VARIABLE_NAME.test(name) ? environment[name] : undefined
        if (value !== undefined) return value
        report(node, pathOf(ancestors), fault(name, environment))
        return written
      })
    },
  })
}

function fault(name: string, environment: Readonly<Record<string, string | undefined>>): string {
  if (!VARIABLE_NAME.test(name))
    return `\${${name}} is no variable: expected \${NAME}, of letters, digits and _`
  return `the environment variable ${name} is not set${didYouMean(name, Object.keys(environment))}`
}

function pathOf(ancestors: readonly unknown[]): string[] {
  const path: string[] = []
  for (const ancestor of ancestors) {
    if (typeof ancestor === 'object' && ancestor !== null && 'key' in ancestor && isScalar(ancestor.key)) {
      path.push(String(ancestor.key.value))
    }
  }
  return path
}
