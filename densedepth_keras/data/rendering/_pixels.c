/* What the rendering of rooms does to every pixel, each loop once over the picture where NumPy goes over it ten times.
   NumPy's way stands beside each call and gives the same bits, so no sum may be contracted (see setup.py). */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

/* What would change a bit does not build; NumPy then does the work. */
#if defined(__FAST_MATH__) || FLT_EVAL_METHOD != 0
#error "Sums of floats have to be rounded one by one, to 32 bits."
#endif
#if defined(_MSC_VER)
#pragma fp_contract(off)
#endif

#define MAX_ARRAYS 10
#define MAX_NUMBERS 2

typedef struct {
    Py_buffer views[MAX_ARRAYS];
    Py_ssize_t sizes[MAX_ARRAYS]; /* items */
    double numbers[MAX_NUMBERS];
    int count;
} Arguments;

static void release(Arguments *arguments)
{
    while (arguments->count > 0)
        PyBuffer_Release(&arguments->views[--arguments->count]);
}

static Py_ssize_t itemsize(char type)
{
    switch (type) {
    case 'n':
        return sizeof(Py_ssize_t);
    case 'f':
        return sizeof(float);
    case 'i':
        return sizeof(int32_t);
    case 'h':
    case 'H':
        return sizeof(int16_t);
    default:
        return 1;
    }
}

/* The next array: contiguous, aligned, of this type. */
static int take_array(PyObject *array, char type, int is_written, Arguments *arguments)
{
    Py_buffer *view = &arguments->views[arguments->count];
    if (PyObject_GetBuffer(array, view, PyBUF_ND | PyBUF_FORMAT | (is_written ? PyBUF_WRITABLE : 0)) < 0)
        return 0;
    arguments->sizes[arguments->count++] = view->len / view->itemsize;
    int is_float = view->format != NULL && view->format[0] == 'f';
    if ((view->format != NULL && strlen(view->format) != 1) || view->itemsize != itemsize(type) ||
        is_float != (type == 'f') || (uintptr_t)view->buf % (uintptr_t)view->itemsize) {
        PyErr_Format(PyExc_TypeError, "Argument %d must be an aligned array of type '%c'.", arguments->count, type);
        return 0;
    }
    return 1;
}

static int overlap(const Py_buffer *one, const Py_buffer *other)
{
    const char *first = one->buf, *second = other->buf;
    return one->len && other->len && first < second + other->len && second < first + one->len;
}

/* Takes arrays of the types in `types`, those with a star in front to be written to, and so many numbers behind them. */
static int take(PyObject *tuple, const char *types, int numbers, Arguments *arguments)
{
    int is_written[MAX_ARRAYS] = {0};
    Py_ssize_t number = 0, given = PyTuple_Size(tuple);
    arguments->count = 0;
    for (; *types; types++) {
        int index = arguments->count;
        if (*types == '*') {
            is_written[index] = 1;
            continue;
        }
        if (index >= given || !take_array(PyTuple_GetItem(tuple, index), *types, is_written[index], arguments))
            break;
    }
    if (!*types && given == arguments->count + numbers)
        for (; number < numbers && !PyErr_Occurred(); number++)
            arguments->numbers[number] = PyFloat_AsDouble(PyTuple_GetItem(tuple, arguments->count + number));
    if (!PyErr_Occurred() && (*types || given != arguments->count + numbers))
        PyErr_Format(PyExc_TypeError, "Other arguments are expected. Received: %zd", given);
    for (int i = 0; i < arguments->count && !PyErr_Occurred(); i++)
        for (int j = 0; j < arguments->count; j++)
            if (i != j && is_written[i] && overlap(&arguments->views[i], &arguments->views[j]))
                PyErr_Format(PyExc_ValueError, "Argument %d, to be written to, overlaps with argument %d.", i + 1, j + 1);
    if (!PyErr_Occurred())
        return 1;
    release(arguments);
    return 0;
}

static PyObject *finish(Arguments *arguments, int fits)
{
    release(arguments);
    if (fits)
        Py_RETURN_NONE;
    PyErr_SetString(PyExc_ValueError, "The arguments' lengths or values do not belong together.");
    return NULL;
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

static inline Py_ssize_t least(Py_ssize_t one, Py_ssize_t other)
{
    return one < other ? one : other;
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

static PyObject *cover(PyObject *module, PyObject *tuple)
{
    Arguments arguments;
    (void)module;
    if (!take(tuple, "nnHfff*f*H", 0, &arguments))
        return NULL;
    const Py_ssize_t *starts = arguments.views[0].buf, *counts = arguments.views[1].buf;
    const uint16_t *numbers = arguments.views[2].buf;
    const float *level = arguments.views[3].buf, *slope = arguments.views[4].buf, *u = arguments.views[5].buf;
    float *inverse_depth = arguments.views[6].buf;
    uint16_t *surface = arguments.views[7].buf;
    const Py_ssize_t *sizes = arguments.sizes, stretches = sizes[0], width = sizes[5], size = sizes[6];
    int fits = width > 0 && size % width == 0 && sizes[1] == stretches && sizes[2] == stretches &&
               sizes[3] == stretches && sizes[4] == stretches && sizes[7] == size;
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        for (Py_ssize_t i = 0; i < stretches; i++) {
            const Py_ssize_t start = starts[i], count = counts[i];
            if (start < 0 || start > size || count < 0 || count > size - start || count > width - start % width) {
                fits = 0; /* it leaves its row */
                break;
            }
            const float first = level[i], step = slope[i], *across = u + start % width;
            const uint16_t number = numbers[i];
            float *nearest = inverse_depth + start;
            uint16_t *shown = surface + start;
            for (Py_ssize_t x = 0; x < count; x++) {
                float nearness = across[x] * step + first;
                shown[x] = nearness >= nearest[x] ? number : shown[x];
                nearest[x] = nearness >= nearest[x] ? nearness : nearest[x];
            }
        }
        Py_END_ALLOW_THREADS
    }
    return finish(&arguments, fits);
}

#define CHUNK 64 /* pixels whose places are computed side by side, before their texels are fetched one by one */
#define ONE 127  /* exponent bits of 1.0 */

static PyObject *fetch(PyObject *module, PyObject *tuple)
{
    Arguments arguments;
    (void)module;
    if (!take(tuple, "niifffifB*B", 1, &arguments))
        return NULL;
    const Py_ssize_t *counts = arguments.views[0].buf;
    const int32_t *fineness = arguments.views[1].buf, *start = arguments.views[2].buf, *noise = arguments.views[6].buf;
    const float *right = arguments.views[3].buf, *line = arguments.views[4].buf, *depth = arguments.views[5].buf;
    const float *u = arguments.views[7].buf;
    const uint8_t *table = arguments.views[8].buf;
    uint8_t *texture = arguments.views[9].buf;
    const Py_ssize_t *sizes = arguments.sizes, runs = sizes[0], size = sizes[5], width = sizes[7], texels = sizes[8];
    const double last = arguments.numbers[0]; /* 2^(14 + 9) is the last float whose neighbours are 1 apart */
    int fits = last >= 0 && last <= 9 && width > 0 && size % width == 0 && texels > 0 && texels <= INT32_MAX &&
               sizes[1] == runs && sizes[2] == runs && sizes[3] == 2 * runs && sizes[4] == 2 * runs &&
               sizes[6] == size && sizes[9] == size && adds_up(counts, runs, size);
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        const int levels = (int)last;
        const int32_t low = (ONE + 13) << 23, high = (int32_t)(((uint32_t)(ONE + 14 + levels) << 23) - 1);
        const uint32_t opposite = ((uint32_t)(2 * ONE + 14 + levels) << 23) - 1;
        Py_ssize_t pixel = 0;
        for (Py_ssize_t run = 0; run < runs; run++) {
            const float right_x = right[run], right_y = right[runs + run];
            const float line_x = line[run], line_y = line[runs + run];
            const Py_ssize_t end = pixel + least(counts[run], size - pixel);
            while (pixel < end) {
                const Py_ssize_t column = pixel % width, some = least(least(end - pixel, width - column), CHUNK);
                uint32_t place[CHUNK];
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
                    texture[pixel + i] = table[place[i] < (uint32_t)texels ? place[i] : (uint32_t)texels - 1];
                pixel += some;
            }
        }
        Py_END_ALLOW_THREADS
    }
    return finish(&arguments, fits);
}

static PyObject *lighten(PyObject *module, PyObject *tuple)
{
    Arguments arguments;
    (void)module;
    if (!take(tuple, "nffnffBf*f", 0, &arguments))
        return NULL;
    const Py_ssize_t *counts = arguments.views[0].buf, *run_counts = arguments.views[3].buf;
    const float *first = arguments.views[1].buf, *slope = arguments.views[2].buf, *columns = arguments.views[7].buf;
    const float *dark = arguments.views[4].buf, *rise = arguments.views[5].buf;
    const uint8_t *texture = arguments.views[6].buf;
    float *light = arguments.views[8].buf;
    const Py_ssize_t *sizes = arguments.sizes, stretches = sizes[0], runs = sizes[3], size = sizes[6], width = sizes[7];
    int fits = width > 0 && size % width == 0 && sizes[1] == 3 * stretches && sizes[2] == 3 * stretches &&
               sizes[4] == 3 * runs && sizes[5] == 3 * runs && sizes[8] == 3 * size &&
               adds_up(counts, stretches, size) && adds_up(run_counts, runs, size);
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        Py_ssize_t pixel = 0, run = -1, run_end = 0;
        for (Py_ssize_t stretch = 0; stretch < stretches; stretch++) {
            const Py_ssize_t end = pixel + least(counts[stretch], size - pixel);
            while (pixel < end) {
                const Py_ssize_t column = pixel % width;
                while (pixel >= run_end && run < runs - 1)
                    run_end += run_counts[++run];
                Py_ssize_t some = least(end - pixel, width - column);
                if (run_end > pixel)
                    some = least(some, run_end - pixel);
                for (int channel = 0; channel < 3; channel++) {
                    const float level = first[channel * stretches + stretch], step = slope[channel * stretches + stretch];
                    const float base = dark[channel * runs + run], gain = rise[channel * runs + run];
                    float *target = light + channel * size + pixel;
                    for (Py_ssize_t i = 0; i < some; i++)
                        target[i] = (step * columns[column + i] + level) * (gain * texture[pixel + i] + base);
                }
                pixel += some;
            }
        }
        Py_END_ALLOW_THREADS
    }
    return finish(&arguments, fits);
}

static PyObject *expose(PyObject *module, PyObject *tuple)
{
    Arguments arguments;
    (void)module;
    if (!take(tuple, "ff*h", 2, &arguments))
        return NULL;
    const float *light = arguments.views[0].buf, *inverse_depth = arguments.views[1].buf;
    int16_t *grey = arguments.views[2].buf;
    const Py_ssize_t size = arguments.sizes[1];
    const float bend = (float)arguments.numbers[0], white = (float)arguments.numbers[1];
    int fits = arguments.sizes[0] == 3 * size && arguments.sizes[2] == 3 * size && white >= 0 && white <= INT16_MAX;
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        for (int channel = 0; channel < 3; channel++, light += size, grey += size)
            for (Py_ssize_t i = 0; i < size; i++) {
                float value = light[i] / (light[i] + inverse_depth[i] * bend);
                grey[i] = (int16_t)(int32_t)(sqrtf(value * sqrtf(value)) * white);
            }
        Py_END_ALLOW_THREADS
    }
    return finish(&arguments, fits);
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

static PyObject *develop(PyObject *module, PyObject *tuple)
{
    Arguments arguments;
    (void)module;
    if (!take(tuple, "hh*h*B", 1, &arguments))
        return NULL;
    const int16_t *grey = arguments.views[0].buf, *grain = arguments.views[1].buf;
    int16_t *scratch = arguments.views[2].buf;
    uint8_t *image = arguments.views[3].buf;
    const Py_ssize_t *sizes = arguments.sizes, size = sizes[0], width = sizes[2] / 4, pixels = size / 3;
    const double noise = arguments.numbers[0];
    int fits = width > 1 && sizes[2] == 4 * width && size % (3 * width) == 0 && pixels > width && sizes[1] == size &&
               sizes[3] == size && noise >= INT16_MIN && noise <= INT16_MAX;
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        const Py_ssize_t height = pixels / width;
        int16_t *red = scratch + width, *green = red + width, *blue = green + width;
        for (Py_ssize_t y = 0; y < height; y++) {
            for (int channel = 0; channel < 3; channel++) {
                Py_ssize_t place = channel * pixels + y * width;
                blur_down(grey + place, scratch, width, y == 0 || y == height - 1);
                blur_along(scratch, red + channel * width, width, grain + place, (int16_t)noise);
            }
            for (Py_ssize_t x = 0; x < width; x++, image += 3) {
                image[0] = (uint8_t)red[x];
                image[1] = (uint8_t)green[x];
                image[2] = (uint8_t)blue[x];
            }
        }
        Py_END_ALLOW_THREADS
    }
    return finish(&arguments, fits);
}

static PyMethodDef methods[] = {
    {"cover", cover, METH_VARARGS,
     "cover(starts, counts, numbers, level, slope, u, inverse_depth, surface)\n\n"
     "Draws stretches of pixels, inverse depth `slope * u + level`, uint16 `numbers`, where nothing is nearer yet."},
    {"fetch", fetch, METH_VARARGS,
     "fetch(counts, fineness, starts, right, line, depth, noise, u, table, texture, levels)\n\n"
     "Fills `texture` as `pixels.fetch` does: runs of `counts` pixels with int32 `fineness` and `starts`, float32 (2, n)\n"
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

/* Of these functions and their arguments; pixels.py has the same. An older build is not used. */
#define VERSION 1

static int add_version(PyObject *module)
{
    return PyModule_AddIntConstant(module, "VERSION", VERSION);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, add_version}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_pixels", NULL, 0, methods, slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__pixels(void)
{
    return PyModuleDef_Init(&definition);
}
