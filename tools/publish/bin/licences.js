#!/usr/bin/env node
import { licencesCommand } from '../dist/index.js';

process.exitCode = await licencesCommand((line) => console.log(line));
