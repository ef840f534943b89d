// Reads CDI directories with the library of the CDI project, as podman, containerd and CRI-O do. For each directory that is
// named: a line per error, and a line per device with the nodes, libraries and variables that a container gets with it.
//
// The project's programs `cdi validate`, `cdi devices`, `cdi inject` and `validate` call the same functions; they are no
// modules of the proxy, and so cannot be had by their names.
package main

import (
	"fmt"
	"os"
	"strings"

	oci "github.com/opencontainers/runtime-spec/specs-go"
	"tags.cncf.io/container-device-interface/pkg/cdi"
)

// checkSchema holds a file to the JSON schema; only releases up to 0.8 bring one along.
var checkSchema func(path string) error

func main() {
	for _, directory := range os.Args[1:] {
		for _, line := range read(directory) {
			fmt.Println(directory, strings.ReplaceAll(line, "\n", "; "))
		}
	}
}

func read(directory string) (lines []string) {
	cache, err := cdi.NewCache(cdi.WithSpecDirs(directory), cdi.WithAutoRefresh(false))
	if err != nil {
		return []string{"error: " + err.Error()}
	}
	for path, errors := range cache.GetErrors() {
		for _, err := range errors {
			lines = append(lines, fmt.Sprintf("error: %s: %v", path, err))
		}
	}
	for _, vendor := range cache.ListVendors() {
		for _, spec := range cache.GetVendorSpecs(vendor) {
			if checkSchema == nil {
				continue
			}
			if err := checkSchema(spec.GetPath()); err != nil {
				lines = append(lines, fmt.Sprintf("error: schema: %s: %v", spec.GetPath(), err))
			}
		}
	}
	for _, name := range cache.ListDevices() {
		lines = append(lines, name+" "+inject(cache, name))
	}
	return lines
}

// inject says what a container gets with this device.
func inject(cache *cdi.Cache, name string) string {
	spec := &oci.Spec{}
	if unresolved, err := cache.InjectDevices(spec, name); err != nil {
		return fmt.Sprintf("error: %v %v", unresolved, err)
	}
	var nodes []string
	for _, node := range spec.Linux.Devices {
		nodes = append(nodes, fmt.Sprintf("%s=%s%d:%d", node.Path, node.Type, node.Major, node.Minor))
	}
	var env []string
	if spec.Process != nil {
		env = spec.Process.Env
	}
	return fmt.Sprintf("nodes=%s libraries=%d env=%s", strings.Join(nodes, ","), len(spec.Mounts), strings.Join(env, ","))
}
