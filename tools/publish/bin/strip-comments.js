#!/usr/bin/env node
// `prepack` of every published package: strips the comments of its compiled modules, in the package's folder.
import { stripComments } from '../dist/index.js';

stripComments(process.cwd());
