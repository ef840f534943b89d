//go:build schema

package main

import "tags.cncf.io/container-device-interface/schema"

func init() {
	checkSchema = schema.BuiltinSchema().ValidateFile
}
