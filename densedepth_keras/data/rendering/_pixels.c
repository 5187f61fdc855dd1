/* What the rendering of rooms does to every pixel, each loop once over the picture where NumPy goes over it ten times.
   NumPy's way stands beside each call and gives the same bits, so no sum may be contracted (see setup.py). */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define MAX_ARRAYS 10

typedef struct {
    Py_buffer views[MAX_ARRAYS];
    int count;
} Arrays;

static void release(Arrays *arrays)
{
    while (arrays->count > 0)
        PyBuffer_Release(&arrays->views[--arrays->count]);
}

/* Takes the first arguments, contiguous arrays: 'w' in `kinds` is one to be written to, 'r' one to be read. */
static int take(PyObject *arguments, const char *kinds, Arrays *arrays)
{
    arrays->count = 0;
    for (; kinds[arrays->count]; arrays->count++) {
        int flags = kinds[arrays->count] == 'w' ? PyBUF_WRITABLE : PyBUF_SIMPLE;
        PyObject *array = PyTuple_GetItem(arguments, arrays->count);
        if (array == NULL || PyObject_GetBuffer(array, &arrays->views[arrays->count], flags) < 0) {
            release(arrays);
            return 0;
        }
    }
    return 1;
}

/* Behind the arrays; where it is none, the error is found by `finish`. */
static double number(PyObject *arguments, Py_ssize_t index)
{
    PyObject *value = PyTuple_GetItem(arguments, index);
    return value == NULL ? 0.0 : PyFloat_AsDouble(value);
}

static PyObject *finish(Arrays *arrays, int fits)
{
    release(arrays);
    if (!fits && !PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "The arrays' lengths do not belong together.");
    if (!fits)
        return NULL;
    Py_RETURN_NONE;
}

/* How many items an array has; -1 for a part of one. */
static Py_ssize_t length(const Arrays *arrays, int index, size_t itemsize)
{
    Py_ssize_t size = (Py_ssize_t)itemsize, bytes = arrays->views[index].len;
    return bytes % size ? -1 : bytes / size;
}

/* Whether the counts are positive and add up. */
static int adds_up(const Py_ssize_t *counts, Py_ssize_t number, Py_ssize_t total)
{
    for (Py_ssize_t i = 0; i < number; i++) {
        if (counts[i] <= 0 || counts[i] > total)
            return 0;
        total -= counts[i];
    }
    return total == 0;
}

static inline float as_float(int32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline int32_t as_bits(float value)
{
    int32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static PyObject *cover(PyObject *module, PyObject *arguments)
{
    Arrays arrays;
    (void)module;
    if (!take(arguments, "rrrrrrww", &arrays))
        return NULL;
    const Py_ssize_t *starts = arrays.views[0].buf, *counts = arrays.views[1].buf;
    const uint16_t *numbers = arrays.views[2].buf;
    const float *level = arrays.views[3].buf, *slope = arrays.views[4].buf, *u = arrays.views[5].buf;
    float *inverse_depth = arrays.views[6].buf;
    uint16_t *surface = arrays.views[7].buf;
    Py_ssize_t stretches = length(&arrays, 0, sizeof *starts), width = length(&arrays, 5, sizeof *u);
    Py_ssize_t size = length(&arrays, 6, sizeof *inverse_depth);
    int fits = width > 0 && size % width == 0 && length(&arrays, 1, sizeof *counts) == stretches &&
               length(&arrays, 2, 2) == stretches && length(&arrays, 3, 4) == stretches &&
               length(&arrays, 4, 4) == stretches && length(&arrays, 7, 2) == size;
    for (Py_ssize_t i = 0; fits && i < stretches; i++) /* each inside its row */
        fits = starts[i] >= 0 && starts[i] <= size && counts[i] >= 0 && counts[i] <= size - starts[i] &&
               counts[i] <= width - starts[i] % width;
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        for (Py_ssize_t i = 0; i < stretches; i++) {
            const float first = level[i], step = slope[i], *across = u + starts[i] % width;
            const uint16_t number = numbers[i];
            float *nearest = inverse_depth + starts[i];
            uint16_t *shown = surface + starts[i];
            for (Py_ssize_t x = 0; x < counts[i]; x++) {
                float nearness = across[x] * step + first;
                shown[x] = nearness >= nearest[x] ? number : shown[x];
                nearest[x] = nearness >= nearest[x] ? nearness : nearest[x];
            }
        }
        Py_END_ALLOW_THREADS
    }
    return finish(&arrays, fits);
}

#define CHUNK 64 /* pixels whose places are computed side by side, before their texels are fetched one by one */

/* Exponents of a float: of 1, and of 2^(14 + level) for the finest and the coarsest level. */
#define ONE 127

static PyObject *fetch(PyObject *module, PyObject *arguments)
{
    Arrays arrays;
    (void)module;
    if (!take(arguments, "rrrrrrrrrw", &arrays))
        return NULL;
    const Py_ssize_t *counts = arrays.views[0].buf;
    const int32_t *fineness = arrays.views[1].buf, *start = arrays.views[2].buf, *noise = arrays.views[6].buf;
    const float *right = arrays.views[3].buf, *line = arrays.views[4].buf, *depth = arrays.views[5].buf;
    const float *u = arrays.views[7].buf;
    const uint8_t *table = arrays.views[8].buf;
    uint8_t *texture = arrays.views[9].buf;
    Py_ssize_t runs = length(&arrays, 0, sizeof *counts), size = length(&arrays, 5, sizeof *depth);
    Py_ssize_t width = length(&arrays, 7, sizeof *u);
    uint32_t texels = (uint32_t)arrays.views[8].len;
    int levels = (int)number(arguments, 10);
    int fits = !PyErr_Occurred() && levels >= 0 && levels <= 9 && width > 0 && size % width == 0 &&
               length(&arrays, 6, 4) == size &&
               texels > 0 && length(&arrays, 1, 4) == runs && length(&arrays, 2, 4) == runs &&
               length(&arrays, 3, 8) == runs && length(&arrays, 4, 8) == runs && arrays.views[9].len == size &&
               adds_up(counts, runs, size);
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        const int32_t low = (ONE + 13) << 23, high = (int32_t)(((uint32_t)(ONE + 14 + levels) << 23) - 1);
        const uint32_t opposite = ((uint32_t)(2 * ONE + 14 + levels) << 23) - 1;
        Py_ssize_t pixel = 0;
        for (Py_ssize_t run = 0; run < runs; run++) {
            const float right_x = right[run], right_y = right[runs + run];
            const float line_x = line[run], line_y = line[runs + run];
            for (Py_ssize_t end = pixel + counts[run]; pixel < end;) {
                Py_ssize_t column = pixel % width, some = end - pixel;
                uint32_t place[CHUNK];
                some = some < CHUNK ? some : CHUNK;
                some = some < width - column ? some : width - column;
                for (int i = 0; i < (int)some; i++) {
                    float far = depth[pixel + i], across = u[column + i];
                    uint32_t bits = (uint32_t)as_bits(far);
                    int32_t magic = (int32_t)((uint32_t)((int32_t)bits >> 1) + bits + (uint32_t)fineness[run] +
                                              (uint32_t)noise[pixel + i]);
                    magic = magic < low ? low : magic > high ? high : magic;
                    magic |= (1 << 23) - 1;
                    int32_t side = (int32_t)as_float((int32_t)(opposite - (uint32_t)magic));
                    int32_t x = as_bits((right_x * across + line_x) * far + as_float(magic)) & (side - 1);
                    int32_t y = as_bits((right_y * across + line_y) * far + as_float(magic)) & (side - 1);
                    place[i] = ((uint32_t)(y | side) << levels) + (uint32_t)x + (uint32_t)start[run];
                }
                for (int i = 0; i < (int)some; i++)
                    texture[pixel + i] = table[place[i] < texels ? place[i] : texels - 1];
                pixel += some;
            }
        }
        Py_END_ALLOW_THREADS
    }
    return finish(&arrays, fits);
}

static PyObject *lighten(PyObject *module, PyObject *arguments)
{
    Arrays arrays;
    (void)module;
    if (!take(arguments, "rrrrrrrrw", &arrays))
        return NULL;
    const Py_ssize_t *counts = arrays.views[0].buf, *run_counts = arrays.views[3].buf;
    const float *first = arrays.views[1].buf, *slope = arrays.views[2].buf, *columns = arrays.views[7].buf;
    const float *dark = arrays.views[4].buf, *rise = arrays.views[5].buf;
    const uint8_t *texture = arrays.views[6].buf;
    float *light = arrays.views[8].buf;
    Py_ssize_t stretches = length(&arrays, 0, sizeof *counts), runs = length(&arrays, 3, sizeof *run_counts);
    Py_ssize_t width = length(&arrays, 7, sizeof *columns), size = arrays.views[6].len;
    int fits = width > 0 && size % width == 0 && length(&arrays, 1, 12) == stretches &&
               length(&arrays, 2, 12) == stretches &&
               length(&arrays, 4, 12) == runs && length(&arrays, 5, 12) == runs && length(&arrays, 8, 12) == size &&
               adds_up(counts, stretches, size) && adds_up(run_counts, runs, size);
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        Py_ssize_t pixel = 0, run = -1, run_end = 0;
        for (Py_ssize_t stretch = 0; stretch < stretches; stretch++)
            for (Py_ssize_t end = pixel + counts[stretch]; pixel < end;) {
                Py_ssize_t column = pixel % width, some;
                if (pixel == run_end)
                    run_end += run_counts[++run];
                some = (end < run_end ? end : run_end) - pixel;
                some = some < width - column ? some : width - column;
                for (int channel = 0; channel < 3; channel++) {
                    const float level = first[channel * stretches + stretch], step = slope[channel * stretches + stretch];
                    const float base = dark[channel * runs + run], gain = rise[channel * runs + run];
                    float *target = light + channel * size + pixel;
                    for (Py_ssize_t i = 0; i < some; i++)
                        target[i] = (step * columns[column + i] + level) * (gain * texture[pixel + i] + base);
                }
                pixel += some;
            }
        Py_END_ALLOW_THREADS
    }
    return finish(&arrays, fits);
}

static PyObject *expose(PyObject *module, PyObject *arguments)
{
    Arrays arrays;
    (void)module;
    if (!take(arguments, "rrw", &arrays))
        return NULL;
    const float *light = arrays.views[0].buf, *inverse_depth = arrays.views[1].buf;
    int16_t *grey = arrays.views[2].buf;
    Py_ssize_t size = length(&arrays, 1, sizeof *inverse_depth);
    const float bend = (float)number(arguments, 3);
    const float white = (float)number(arguments, 4);
    int fits = !PyErr_Occurred() && length(&arrays, 0, 12) == size && length(&arrays, 2, 6) == size;
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        for (int channel = 0; channel < 3; channel++, light += size, grey += size)
            for (Py_ssize_t i = 0; i < size; i++) {
                float value = light[i] / (light[i] + inverse_depth[i] * bend);
                grey[i] = (int16_t)(int32_t)(sqrtf(value * sqrtf(value)) * white);
            }
        Py_END_ALLOW_THREADS
    }
    return finish(&arrays, fits);
}

/* Four times the mean with weights 1 2 1 of three rows; at the picture's upper and lower edge of the row alone. */
static void blur_down(const int16_t *row, int16_t *blurred, Py_ssize_t width, int is_edge)
{
    for (Py_ssize_t x = 0; x < width; x++)
        blurred[x] = (int16_t)(is_edge ? 4 * row[x] : row[x - width] + 2 * row[x] + row[x + width]);
}

static inline int16_t to_grey(int value, int16_t grain, int16_t noise)
{
    int16_t noisy = (int16_t)((int16_t)(value + (int16_t)(grain * noise)) >> 6);
    return noisy < 0 ? 0 : noisy > 255 ? 255 : noisy;
}

/* The same along a row, then noise, and grey levels from their sixty-fourths. */
static void blur_along(const int16_t *row, int16_t *levels, Py_ssize_t width, const int16_t *grain, int16_t noise)
{
    levels[0] = to_grey(4 * row[0], grain[0], noise);
    for (Py_ssize_t x = 1; x < width - 1; x++)
        levels[x] = to_grey(row[x - 1] + 2 * row[x] + row[x + 1], grain[x], noise);
    levels[width - 1] = to_grey(4 * row[width - 1], grain[width - 1], noise);
}

static PyObject *develop(PyObject *module, PyObject *arguments)
{
    Arrays arrays;
    (void)module;
    if (!take(arguments, "rrww", &arrays))
        return NULL;
    const int16_t *grey = arrays.views[0].buf, *grain = arrays.views[1].buf;
    int16_t *scratch = arrays.views[2].buf;
    uint8_t *image = arrays.views[3].buf;
    Py_ssize_t size = length(&arrays, 0, sizeof *grey), width = length(&arrays, 2, 4 * sizeof *scratch);
    const int16_t noise = (int16_t)number(arguments, 4);
    int fits = !PyErr_Occurred() && width > 1 && size % (3 * width) == 0 && length(&arrays, 1, 2) == size &&
               arrays.views[3].len == size;
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        const Py_ssize_t pixels = size / 3, height = pixels / width;
        int16_t *red = scratch + width, *green = red + width, *blue = green + width;
        for (Py_ssize_t y = 0; y < height; y++) {
            for (int channel = 0; channel < 3; channel++) {
                Py_ssize_t place = channel * pixels + y * width;
                blur_down(grey + place, scratch, width, y == 0 || y == height - 1);
                blur_along(scratch, red + channel * width, width, grain + place, noise);
            }
            for (Py_ssize_t x = 0; x < width; x++, image += 3) {
                image[0] = (uint8_t)red[x];
                image[1] = (uint8_t)green[x];
                image[2] = (uint8_t)blue[x];
            }
        }
        Py_END_ALLOW_THREADS
    }
    return finish(&arrays, fits);
}

static PyMethodDef methods[] = {
    {"cover", cover, METH_VARARGS,
     "cover(starts, counts, numbers, level, slope, u, inverse_depth, surface)\n\n"
     "Draws stretches of pixels, inverse depth `slope * u + level`, uint16 `numbers`, where nothing is nearer yet."},
    {"fetch", fetch, METH_VARARGS,
     "fetch(counts, fineness, start, right, line, depth, noise, u, table, texture, levels)\n\n"
     "Fills `texture` as `atlas.look_up` does: runs of `counts` pixels with int32 `fineness` and `start`, float32 (2, n)\n"
     "`right` and `line`; float32 `depth` and int32 `noise` of every pixel, float32 `u` of every column."},
    {"lighten", lighten, METH_VARARGS,
     "lighten(counts, first, slope, run_counts, dark, rise, texture, columns, light)\n\n"
     "Fills `light`, float32 (3, H, W), with `(slope * column + first) * (rise * texture + dark)`."},
    {"expose", expose, METH_VARARGS,
     "expose(light, inverse_depth, grey, bend, white)\n\n"
     "Fills int16 `grey` with `white * (light / (light + bend * inverse_depth))^0.75`."},
    {"develop", develop, METH_VARARGS,
     "develop(grey, grain, scratch, image, noise)\n\n"
     "Fills uint8 `image` (H, W, 3) from int16 `grey` and `grain` (3, H, W): blurred, `noise` times `grain` added, in\n"
     "sixty-fourths of a grey level. `scratch` is int16 (4, W)."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_pixels", NULL, 0, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__pixels(void)
{
    return PyModuleDef_Init(&definition);
}
