/* Undoes the filters of a grey PNG's rows (PNG specification, section 9), which NumPy cannot: each byte depends on the
   one before it. Pillow's own loop takes three times as long for 16 bits. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#if defined(_MSC_VER)
#define INLINE static __forceinline
#else
#define INLINE static inline __attribute__((always_inline))
#endif

/* Of left, up and corner the one nearest to left + up - corner, ties in this order. Between the lesser and the greater
   of left and up that is the greater where the corner lies in the lower third or below, the lesser where it lies in the
   upper third or above, else the corner: no distances, no branch to mispredict. */
INLINE int paeth(int left, int up, int corner)
{
    int low = left < up ? left : up, high = left < up ? up : left;
    int turned = 3 * corner - (left + up);
    int nearest = high <= turned ? low : corner;
    return turned <= low ? high : nearest;
}

/* `size` is the bytes of a pixel, a constant where this is called, so that its lanes run side by side. */
INLINE int unfilter_row(int filter, const uint8_t *source, const uint8_t *above, uint8_t *row, Py_ssize_t length,
                        const int size)
{
    int left[2] = {0, 0}, corner[2] = {0, 0};
    switch (filter) {
    case 0:
        memcpy(row, source, (size_t)length);
        return 1;
    case 1:
        for (Py_ssize_t i = 0; i < length; i += size)
            for (int lane = 0; lane < size; lane++) {
                left[lane] = (uint8_t)(left[lane] + source[i + lane]);
                row[i + lane] = (uint8_t)left[lane];
            }
        return 1;
    case 2:
        for (Py_ssize_t i = 0; i < length; i++)
            row[i] = (uint8_t)(source[i] + above[i]);
        return 1;
    case 3:
        for (Py_ssize_t i = 0; i < length; i += size)
            for (int lane = 0; lane < size; lane++) {
                left[lane] = (uint8_t)(source[i + lane] + ((left[lane] + above[i + lane]) >> 1));
                row[i + lane] = (uint8_t)left[lane];
            }
        return 1;
    case 4:
        for (Py_ssize_t i = 0; i < length; i += size)
            for (int lane = 0; lane < size; lane++) {
                int up = above[i + lane];
                left[lane] = (uint8_t)(source[i + lane] + paeth(left[lane], up, corner[lane]));
                row[i + lane] = (uint8_t)left[lane];
                corner[lane] = up;
            }
        return 1;
    default:
        return 0;
    }
}

/* From `height` rows of a filter byte and `length` bytes to rows alone; 0 for a filter that does not exist. */
INLINE int unfilter_rows(const uint8_t *source, uint8_t *target, Py_ssize_t height, Py_ssize_t length, const int size)
{
    const uint8_t *above = NULL;
    for (Py_ssize_t y = 0; y < height; y++, source += length + 1, target += length) {
        int filter = source[0];
        if (above == NULL) { /* above the first row all is 0 */
            memset(target, 0, (size_t)length);
            if (filter == 2)
                filter = 0;
            above = target; /* read before it is written, byte by byte */
        }
        if (!unfilter_row(filter, source + 1, above, target, length, size))
            return 0;
        above = target;
    }
    return 1;
}

/* PNG stores the high byte first. */
static void swap_to_native(uint8_t *bytes, Py_ssize_t count)
{
    for (Py_ssize_t i = 0; i < count; i++) {
        uint16_t value = (uint16_t)(bytes[2 * i] << 8 | bytes[2 * i + 1]);
        memcpy(bytes + 2 * i, &value, 2);
    }
}

static PyObject *unfilter(PyObject *module, PyObject *arguments)
{
    Py_buffer source, target;
    Py_ssize_t height, length;
    int size, known = 0;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "y*w*nni", &source, &target, &height, &length, &size))
        return NULL;
    int fits = (size == 1 || size == 2) && height > 0 && length > 0 && length % size == 0 &&
               target.len % height == 0 && target.len / height == length &&
               source.len == target.len + height;
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        known = size == 2 ? unfilter_rows(source.buf, target.buf, height, length, 2)
                          : unfilter_rows(source.buf, target.buf, height, length, 1);
        if (known && size == 2)
            swap_to_native(target.buf, target.len / 2);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&source);
    PyBuffer_Release(&target);
    if (!fits) {
        PyErr_SetString(PyExc_ValueError, "`source` and `target` must have height rows of length (+ 1) bytes.");
        return NULL;
    }
    return PyBool_FromLong(known);
}

static PyMethodDef methods[] = {
    {"unfilter", unfilter, METH_VARARGS,
     "unfilter(source, target, height, length, size) -> bool\n\n"
     "Fills `target`, height rows of `length` bytes, with the pixels of `source`, rows of `length + 1` inflated bytes\n"
     "of a grey PNG of `size` bytes per pixel, in the machine's order of bytes. False for an unknown filter."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_unfilter", NULL, 0, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__unfilter(void)
{
    return PyModuleDef_Init(&definition);
}
