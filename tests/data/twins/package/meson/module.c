#include <Python.h>

static struct PyModuleDef about = {PyModuleDef_HEAD_INIT, "twin", NULL, -1, NULL, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_twin(void);

PyMODINIT_FUNC PyInit_twin(void)
{
    return PyModule_Create(&about);
}
