#!/usr/bin/env node
// kubectl runs this for `kubectl paceline`. The file's name tells the program what it is called in help texts.
import "./paceline.js";
