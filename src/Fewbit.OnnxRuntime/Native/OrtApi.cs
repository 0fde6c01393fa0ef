using Fewbit.Tensors;

namespace Fewbit.OnnxRuntime.Native;

/// <summary>The function table of ONNX Runtime.</summary>
/// <remarks>A call that fails throws <see cref="OnnxRuntimeException"/> with the runtime's message; its status is always released.</remarks>
internal sealed unsafe class OrtApi
{
    /// <summary>The C API that is asked for: that of ONNX Runtime 1.17. Every later release still offers it.</summary>
    public const uint Version = 17;

    private const int DeviceAllocator = 0, DefaultMemory = 0;
    private readonly nint* _functions;
    private readonly nint _allocator, _environment, _cpuMemory;

    /// <summary>Opens the runtime's environment, which lives as long as the process: the runtime keeps one, and sessions need it.</summary>
    public OrtApi(nint* functions)
    {
        _functions = functions;
        nint allocator, environment, memory;
        Check(((delegate* unmanaged<nint*, nint>)this[OrtFunction.GetAllocatorWithDefaultOptions])(&allocator));
        Check(((delegate* unmanaged<int, int, nint*, nint>)this[OrtFunction.CreateCpuMemoryInfo])(DeviceAllocator, DefaultMemory, &memory));
        fixed (byte* name = "fewbit\0"u8)
        {
            Check(((delegate* unmanaged<int, byte*, nint*, nint>)this[OrtFunction.CreateEnv])((int)OnnxRuntimeLogSeverity.Error, name, &environment));
        }
        Check(((delegate* unmanaged<nint, nint>)this[OrtFunction.DisableTelemetryEvents])(environment));
        (_allocator, _environment, _cpuMemory) = (allocator, environment, memory);
    }

    /// <summary>The address of a function.</summary>
    public nint this[OrtFunction function] => _functions[(int)function];

    /// <summary>Throws what a status says; a null status is success.</summary>
    public void Check(nint status)
    {
        if (status == 0) return;
        int code = ((delegate* unmanaged<nint, int>)this[OrtFunction.GetErrorCode])(status);
        string message = NativeText.Read(((delegate* unmanaged<nint, nint>)this[OrtFunction.GetErrorMessage])(status));
        ((delegate* unmanaged<nint, void>)this[OrtFunction.ReleaseStatus])(status);
        throw new OnnxRuntimeException(code, message);
    }

    public OrtHandle CreateSessionOptions(OnnxRuntimeOptions options)
    {
        nint created;
        Check(((delegate* unmanaged<nint*, nint>)this[OrtFunction.CreateSessionOptions])(&created));
        var handle = new OrtHandle(this, OrtFunction.ReleaseSessionOptions, created);
        try
        {
            SetInt(OrtFunction.SetSessionGraphOptimizationLevel, created, (int)options.OptimizationLevel);
            SetInt(OrtFunction.SetIntraOpNumThreads, created, options.Threads);
            SetInt(OrtFunction.SetSessionLogSeverityLevel, created, (int)options.LogSeverity);
            if (options.OptimizedModelPath is { } path) SetOptimizedModelPath(created, path);
            foreach ((string key, string value) in options.ConfigEntries) AddConfigEntry(created, key, value);
            return handle;
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    public OrtHandle CreateSession(string path, OrtHandle options)
    {
        nint session;
        byte[] native = NativeText.PinnedPath(path);
        Check(((delegate* unmanaged<nint, nint, nint, nint*, nint>)this[OrtFunction.CreateSession])(
            _environment, NativeText.Address(native), options.Pointer, &session));
        GC.KeepAlive(native);
        return new(this, OrtFunction.ReleaseSession, session);
    }

    public OrtHandle CreateSession(ReadOnlySpan<byte> model, OrtHandle options)
    {
        nint session;
        fixed (byte* bytes = model)
        {
            Check(((delegate* unmanaged<nint, byte*, nuint, nint, nint*, nint>)this[OrtFunction.CreateSessionFromArray])(
                _environment, bytes, (nuint)model.Length, options.Pointer, &session));
        }
        return new(this, OrtFunction.ReleaseSession, session);
    }

    /// <summary>Number of inputs or outputs of a session.</summary>
    public int Count(OrtFunction count, OrtHandle session)
    {
        nuint result;
        Check(((delegate* unmanaged<nint, nuint*, nint>)this[count])(session.Pointer, &result));
        return checked((int)result);
    }

    /// <summary>Name of an input or output of a session.</summary>
    public string Name(OrtFunction name, OrtHandle session, int index)
    {
        nint utf8;
        Check(((delegate* unmanaged<nint, nuint, nint, nint*, nint>)this[name])(session.Pointer, (nuint)index, _allocator, &utf8));
        string result = NativeText.Read(utf8);
        Check(((delegate* unmanaged<nint, nint, nint>)this[OrtFunction.AllocatorFree])(_allocator, utf8));
        return result;
    }

    /// <summary>Type of an input or output of a session.</summary>
    public OrtHandle TypeInfo(OrtFunction type, OrtHandle session, int index)
    {
        nint info;
        Check(((delegate* unmanaged<nint, nuint, nint*, nint>)this[type])(session.Pointer, (nuint)index, &info));
        return new(this, OrtFunction.ReleaseTypeInfo, info);
    }

    /// <summary>The tensor part of a type, owned by it; 0 where it is a sequence, a map or an optional.</summary>
    public nint TensorInfo(OrtHandle typeInfo)
    {
        nint info;
        Check(((delegate* unmanaged<nint, nint*, nint>)this[OrtFunction.CastTypeInfoToTensorInfo])(typeInfo.Pointer, &info));
        return info;
    }

    /// <summary>Type of every element.</summary>
    public ElementType ElementType(nint tensorInfo)
    {
        int type;
        Check(((delegate* unmanaged<nint, int*, nint>)this[OrtFunction.GetTensorElementType])(tensorInfo, &type));
        return OrtElementType.ToOnnx(type);
    }

    /// <summary>Lengths of the dimensions; -1 where they are not fixed.</summary>
    public long[] Dimensions(nint tensorInfo)
    {
        nuint rank;
        Check(((delegate* unmanaged<nint, nuint*, nint>)this[OrtFunction.GetDimensionsCount])(tensorInfo, &rank));
        var dims = new long[checked((int)rank)];
        fixed (long* start = dims)
        {
            Check(((delegate* unmanaged<nint, long*, nuint, nint>)this[OrtFunction.GetDimensions])(tensorInfo, start, rank));
        }
        return dims;
    }

    /// <summary>Names of the dimensions; empty where they have none.</summary>
    public string[] SymbolicDimensions(nint tensorInfo, int rank)
    {
        var names = new nint[rank];
        fixed (nint* start = names)
        {
            Check(((delegate* unmanaged<nint, nint*, nuint, nint>)this[OrtFunction.GetSymbolicDimensions])(tensorInfo, start, (nuint)rank));
        }
        return Array.ConvertAll(names, NativeText.Read);
    }

    /// <summary>A value that reads the caller's memory, which must stay in place until the value is released.</summary>
    public OrtHandle CreateTensor(void* data, long byteCount, ReadOnlySpan<long> shape, ElementType type)
    {
        int number = (int)type;
        if (OrtElementType.FromOnnx(type) != number)
        {
            // ONNX Runtime 1.30 takes the number of ONNX here but tells its own; later sources take their own. See which of both this one takes.
            byte element = 0;
            using OrtHandle probe = CreateTensor(&element, 1, [], number), info = TensorTypeAndShape(probe);
            if (ElementType(info.Pointer) != type) number = OrtElementType.FromOnnx(type);
        }
        return CreateTensor(data, byteCount, shape, number);
    }

    private OrtHandle CreateTensor(void* data, long byteCount, ReadOnlySpan<long> shape, int number)
    {
        nint value;
        fixed (long* dims = shape)
        {
            Check(((delegate* unmanaged<nint, void*, nuint, long*, nuint, int, nint*, nint>)this[OrtFunction.CreateTensorWithDataAsOrtValue])(
                _cpuMemory, data, (nuint)byteCount, dims, (nuint)shape.Length, number, &value));
        }
        return new(this, OrtFunction.ReleaseValue, value);
    }

    public bool IsTensor(OrtHandle value)
    {
        int result;
        Check(((delegate* unmanaged<nint, int*, nint>)this[OrtFunction.IsTensor])(value.Pointer, &result));
        return result != 0;
    }

    /// <summary>Type and shape of a value that is a tensor.</summary>
    public OrtHandle TensorTypeAndShape(OrtHandle value)
    {
        nint info;
        Check(((delegate* unmanaged<nint, nint*, nint>)this[OrtFunction.GetTensorTypeAndShape])(value.Pointer, &info));
        return new(this, OrtFunction.ReleaseTensorTypeAndShapeInfo, info);
    }

    /// <summary>Address of a tensor's elements, valid until the value is released.</summary>
    public void* TensorData(OrtHandle value)
    {
        void* data;
        Check(((delegate* unmanaged<nint, void**, nint>)this[OrtFunction.GetTensorMutableData])(value.Pointer, &data));
        return data;
    }

    /// <summary>Runs a session. Outputs that are 0 are allocated by the runtime, others are written in place.</summary>
    public void Run(OrtHandle session, ReadOnlySpan<nint> inputNames, ReadOnlySpan<nint> inputs, ReadOnlySpan<nint> outputNames, Span<nint> outputs)
    {
        fixed (nint* inputName = inputNames, input = inputs, outputName = outputNames, output = outputs)
        {
            Check(((delegate* unmanaged<nint, nint, nint*, nint*, nuint, nint*, nuint, nint*, nint>)this[OrtFunction.Run])(
                session.Pointer, 0, inputName, input, (nuint)inputs.Length, outputName, (nuint)outputs.Length, output));
        }
    }

    private void SetInt(OrtFunction set, nint options, int value) =>
        Check(((delegate* unmanaged<nint, int, nint>)this[set])(options, value));

    private void SetOptimizedModelPath(nint options, string path)
    {
        byte[] native = NativeText.PinnedPath(path);
        Check(((delegate* unmanaged<nint, nint, nint>)this[OrtFunction.SetOptimizedModelFilePath])(options, NativeText.Address(native)));
        GC.KeepAlive(native);
    }

    private void AddConfigEntry(nint options, string key, string value)
    {
        byte[] nativeKey = NativeText.PinnedUtf8(key), nativeValue = NativeText.PinnedUtf8(value);
        Check(((delegate* unmanaged<nint, nint, nint, nint>)this[OrtFunction.AddSessionConfigEntry])(
            options, NativeText.Address(nativeKey), NativeText.Address(nativeValue)));
        GC.KeepAlive(nativeKey);
        GC.KeepAlive(nativeValue);
    }
}
