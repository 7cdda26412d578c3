module github.com/qualify-dev/qualify

go 1.26.0
