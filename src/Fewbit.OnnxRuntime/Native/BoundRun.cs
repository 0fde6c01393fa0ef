using Fewbit.Tensors;

namespace Fewbit.OnnxRuntime.Native;

/// <summary>One set of inputs and outputs bound to a session, to run as often as wanted. Later runs write the outputs of the first again.</summary>
internal sealed unsafe class BoundRun : IDisposable
{
    private readonly OrtApi _api;
    private readonly OrtHandle _session;
    private readonly bool _sessionHeld;
    private readonly List<byte[]> _names = [];
    private readonly List<Tensor> _tensors = [];
    private readonly List<OrtHandle> _inputs = [], _outputs = [];
    private readonly nint[] _inputNames, _outputNames, _inputValues, _outputValues;

    public BoundRun(OrtApi api, OrtHandle session, IReadOnlyDictionary<string, Tensor> inputs, IReadOnlyList<string> outputs)
    {
        (_api, _session) = (api, session);
        session.DangerousAddRef(ref _sessionHeld);
        try
        {
            _inputNames = [.. inputs.Keys.Select(PinName)];
            _outputNames = [.. outputs.Select(PinName)];
            _inputValues = [.. inputs.Values.Select(Bind)];
            _outputValues = new nint[outputs.Count];
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public void Run()
    {
        _api.Run(_session, _inputNames, _inputValues, _outputNames, _outputValues);
        if (_outputs.Count == 0) _outputs.AddRange(_outputValues.Select(value => new OrtHandle(_api, OrtFunction.ReleaseValue, value)));
        GC.KeepAlive(this);
    }

    /// <summary>A copy of an output of the last run.</summary>
    /// <exception cref="NotSupportedException">It is not a tensor of numbers.</exception>
    public Tensor CopyOutput(int index, string name)
    {
        OrtHandle value = _outputs[index];
        if (value.IsInvalid || !_api.IsTensor(value)) throw new NotSupportedException($"output '{name}' is no tensor: ask for other outputs");
        using OrtHandle info = _api.TensorTypeAndShape(value);
        ElementType type = _api.ElementType(info.Pointer);
        if (type.BitWidth() == 0) throw new NotSupportedException($"output '{name}' is a tensor of {type.Name()}, expected numbers: ask for other outputs");
        Tensor copy = Tensor.AllocateUninitialized(type, new(_api.Dimensions(info.Pointer)));
        Buffer.MemoryCopy(_api.TensorData(value), copy.Address, copy.ByteCount, copy.ByteCount);
        GC.KeepAlive(copy);
        return copy;
    }

    public void Dispose()
    {
        foreach (OrtHandle value in _inputs.Concat(_outputs)) value.Dispose();
        if (_sessionHeld) _session.DangerousRelease();
    }

    private nint PinName(string name)
    {
        byte[] pinned = NativeText.PinnedUtf8(name);
        _names.Add(pinned);
        return NativeText.Address(pinned);
    }

    // The runtime reads the tensor's own memory, which does not move while the tensor is reachable.
    private nint Bind(Tensor tensor)
    {
        _tensors.Add(tensor);
        OrtHandle value = _api.CreateTensor(tensor.Address, tensor.ByteCount, tensor.Shape.Dims, tensor.Type);
        _inputs.Add(value);
        return value.Pointer;
    }
}
