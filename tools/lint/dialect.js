/**
 * Lint rules for what neither Prettier nor typescript-eslint checks: one dialect in every package.
 * `docs/style.md` describes it.
 */

const DATA_CONSTRUCTORS = new Set(['Set', 'Map', 'RegExp']);

/** Whether an initializer holds plain data: no call, no function, no state that grows. */
function isData(node) {
  switch (node?.type) {
    case 'Literal':
      return true;
    case 'TemplateLiteral':
      return node.expressions.every((part) => part.type === 'Identifier' || isData(part));
    case 'UnaryExpression':
      return isData(node.argument);
    case 'BinaryExpression':
      return isData(node.left) && isData(node.right);
    case 'TSAsExpression':
    case 'TSSatisfiesExpression':
      return isData(node.expression);
    case 'ArrayExpression':
      return node.elements.length > 0 && node.elements.every(isData);
    case 'ObjectExpression':
      return (
        node.properties.length > 0 &&
        node.properties.every(
          (property) => property.type === 'Property' && !property.shorthand && isData(property.value),
        )
      );
    case 'NewExpression':
      return DATA_CONSTRUCTORS.has(node.callee.name) && node.arguments.length > 0 && node.arguments.every(isData);
    default:
      return false;
  }
}

const isPackageSource = (file) => file.includes('/src/') && !/\.(?:test|fixture)\.ts$|\/fixtures\//.test(file);

/** Data that is part of the public interface, where names are camelCase. */
const PUBLIC_DATA = new Set([
  'blip2QFormerLayout',
  'captionPreset',
  'entryKinds',
  'generationOptions',
  'instructBlipQFormerLayout',
]);

const moduleConstants = {
  create: (context) => ({
    'Program > VariableDeclaration, Program > ExportNamedDeclaration > VariableDeclaration'(declaration) {
      if (declaration.kind !== 'const' || !isPackageSource(context.filename)) return;
      for (const { id, init } of declaration.declarations) {
        if (id.type !== 'Identifier' || !/^[a-z]/.test(id.name) || PUBLIC_DATA.has(id.name)) continue;
        if (isData(init))
          context.report({ node: id, message: `Module constant ${id.name} must be in SCREAMING_CASE.` });
      }
    },
  }),
};

const privateMembers = {
  create: (context) => ({
    ':matches(PropertyDefinition, MethodDefinition)[accessibility="private"]'(node) {
      context.report({ node, message: 'Private members must be written with #.' });
    },
  }),
};

const throws = {
  create: (context) => ({
    Program() {
      for (const comment of context.sourceCode.getAllComments()) {
        if (/\b(?:Fails|Rejects|Throws) with `/.test(comment.value))
          context.report({ loc: comment.loc, message: 'Errors must be documented with a @throws tag.' });
        else if (
          comment.type === 'Block' &&
          /(?<!^|\n)[^\n*\s][^\n]*@throws/.test(comment.value) &&
          comment.value.includes('\n')
        )
          context.report({ loc: comment.loc, message: '@throws must begin a line of its own.' });
      }
    },
  }),
};

const testNames = {
  create: (context) => ({
    'ImportDeclaration[source.value="vitest"] > ImportSpecifier[imported.name="it"]'(node) {
      context.report({ node, message: 'Tests must be called test, not it.' });
    },
  }),
};

const fixtureLocation = {
  create: (context) => ({
    Program(node) {
      if (/\.fixture\.\w+$|\/testdata\//.test(context.filename))
        context.report({
          node,
          message: 'Test-only modules and data must be in a fixtures/ folder next to their tests.',
        });
    },
  }),
};

export const dialect = {
  rules: {
    'module-constants': moduleConstants,
    'private-members': privateMembers,
    throws,
    'test-names': testNames,
    'fixture-location': fixtureLocation,
  },
};
